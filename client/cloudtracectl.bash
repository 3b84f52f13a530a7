# SPDX-License-Identifier: MIT
# bash completion of cloudtracectl(1); asks the program itself what it knows.

# Options that take no value, before the words of a command.
_cloudtracectl_takes_value()
{
	case $1 in
	--no-headers | --help | --version | -h | -V) return 1 ;;
	esac
	return 0
}

# What --OPTION of a command may be.
_cloudtracectl_values()
{
	local program=$1 option=$2
	shift 2
	case $option in
	-o) option=--output ;;
	esac
	"$program" --list-values "${option#--}" "$@" 2>/dev/null
}

# The ids that a command takes.
_cloudtracectl_ids()
{
	case $1 in
	flow | vm | service | volume | port | migration | node)
		timeout 2 "${@:2}" "$1" list --no-headers -o csv 2>/dev/null | cut -d, -f1 | uniq
		;;
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
		-*)
			if _cloudtracectl_takes_value "$word"; then
				[[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
				((i++))
			fi
			;;
		=) ;;
		*) words+=("$word") ;;
		esac
	done
	COMPREPLY=()
	case $prev in
	--socket | -s | --store | -f | --cert | --key | --ca)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-*)
		if _cloudtracectl_takes_value "$prev"; then
			mapfile -t COMPREPLY < <(compgen -W "$(_cloudtracectl_values "$program" \
				"$prev" "${words[@]}")" -- "$cur")
			return
		fi
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-options \
			"${words[@]}" 2>/dev/null)" -- "$cur")
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
		return
	fi
	case "${#words[@]} ${words[*]}" in
	"1 compare" | "2 compare"*)
		mapfile -t COMPREPLY < <(compgen -W "$(_cloudtracectl_ids flow "$program" \
			"${connection[@]}") $(_cloudtracectl_ids migration "$program" \
			"${connection[@]}")" -- "$cur")
		;;
	"2 node drain-status")
		mapfile -t COMPREPLY < <(compgen -W "$(_cloudtracectl_ids node "$program" \
			"${connection[@]}")" -- "$cur")
		;;
	"2 "*" show" | "2 vm history")
		mapfile -t COMPREPLY < <(compgen -W "$(_cloudtracectl_ids "${words[0]}" "$program" \
			"${connection[@]}")" -- "$cur")
		;;
	"1 watch") mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-values topic watch)" -- "$cur") ;;
	"0 ") mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-commands | cut -d' ' -f1 | uniq)" \
		-- "$cur") ;;
	"1 "*) mapfile -t COMPREPLY < <(compgen -W "$("$program" --list-commands |
		sed -n "s/^${words[0]//[^a-z]/} //p")" -- "$cur") ;;
	esac
}

complete -F _cloudtracectl cloudtracectl
