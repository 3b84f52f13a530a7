# SPDX-License-Identifier: MIT
# bash completion of cloudtracectl(1); asks the program itself what it knows.

_cloudtracectl_values()
{
	case $1 in
	--output | -o) echo table wide json ndjson csv ;;
	--color) echo auto always never ;;
	--status) echo running completed failed cancelled lost ;;
	--state) echo firing resolved ;;
	--severity) echo info warning critical ;;
	esac
}

_cloudtracectl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} words=() connection=() i word

	# "--status=fa" comes as three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = && COMP_CWORD -gt 1 ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket | -s | --connect | -c | --store | -f | --cert | --key | --ca)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((i++))
			connection+=("$word" "${COMP_WORDS[i]}")
			;;
		--output | -o | --color | --since | --until | --status | --host | --vm | --state | \
			--severity | --rule | --limit | --cursor)
			[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
			((i++))
			;;
		-* | =) ;;
		*) words+=("$word") ;;
		esac
	done
	COMPREPLY=()
	case $prev in
	--socket | -s | --store | -f | --cert | --key | --ca)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--output | -o | --color | --status | --state | --severity)
		mapfile -t COMPREPLY < <(compgen -W "$(_cloudtracectl_values "$prev")" -- "$cur")
		return
		;;
	--connect | -c | --since | --until | --host | --vm | --rule | --limit | --cursor) return ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-options)" -- "$cur")
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
		return
	fi
	case "${#words[@]} ${words[*]}" in
	"2 migration show")
		mapfile -t COMPREPLY < <(compgen -W "$(timeout 2 "$program" "${connection[@]}" \
			migration list --limit 100 --no-headers -o csv 2>/dev/null | cut -d, -f1)" \
			-- "$cur")
		;;
	"1 watch") mapfile -t COMPREPLY < <(compgen -W "migration alert node" -- "$cur") ;;
	"0 ") mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-commands | cut -d' ' -f1 | uniq)" \
		-- "$cur") ;;
	"1 "*) mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-commands |
		sed -n "s/^${words[0]//[^a-z]/} //p")" -- "$cur") ;;
	esac
}

complete -F _cloudtracectl cloudtracectl
