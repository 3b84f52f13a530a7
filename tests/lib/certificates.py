# SPDX-License-Identifier: MIT
"""An authority and certificates for the tests, made by openssl(1) in a folder."""
import os
import subprocess


def openssl(folder, *argv):
    subprocess.run(["openssl", *argv], cwd=folder, check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder, self.name = folder, name
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2")
        self.pem = os.path.join(folder, f"{name}.pem")

    def revoke(self, *certificates):
        """Gives the path of a list of revoked certificates."""
        name = os.path.join(self.folder, self.name)
        with open(f"{name}.cnf", "w") as file:
            file.write(f"[ca]\ndefault_ca=a\n[a]\ndatabase={name}.index\ndefault_md=sha256\n"
                       "default_crl_days=2\n")
        with open(f"{name}.index", "a"):
            pass
        with open(f"{name}.index.attr", "w") as file:
            file.write("unique_subject = no\n")
        own = ["-config", f"{name}.cnf", "-cert", self.pem, "-keyfile", f"{name}.key"]
        for certificate in certificates:
            openssl(self.folder, "ca", *own, "-revoke", certificate)
        openssl(self.folder, "ca", *own, "-gencrl", "-out", f"{name}.crl")
        return f"{name}.crl"

    def sign(self, name, common_name=None, alt=None, days="2"):
        """Gives the paths of certificate and key."""
        openssl(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={common_name or name}")
        extensions = os.path.join(self.folder, f"{name}.ext")
        with open(extensions, "w") as file:
            file.write(f"subjectAltName={alt}\n" if alt else "basicConstraints=CA:FALSE\n")
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey",
                f"{self.name}.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", days, "-extfile",
                extensions)
        return os.path.join(self.folder, f"{name}.pem"), os.path.join(self.folder, f"{name}.key")
