import type { Command } from 'commander'
import type { Shell } from './option-values.ts'

/** A command's name with what can stand behind it. */
interface Completed {
  readonly name: string
  readonly description: string
  readonly options: readonly {
    readonly flag: string
    readonly description: string
    readonly choices: readonly string[]
  }[]
}

/** A script that completes the commands and options of `program` in a shell. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.filter((command) => command.name() !== 'help').map(completed)
  const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell]
  return script(commands)
}

function completed(command: Command): Completed {
  return {
    name: command.name(),
    description: command.description(),
    options: command.options.map(({ long, short, description, argChoices }) => ({
      flag: long ?? short ?? '',
      description,
      choices: argChoices ?? [],
    })),
  }
}

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options }) => {
    const flags = [...options.map(({ flag }) => flag), '--help'].join(' ')
    return `    ${name}) words="${flags}" ;;`
  })
  const choices = choicesOf(commands).map(
    ({ command, flag, choices: words }) => `    "${command} ${flag}") words="${words.join(' ')}" ;;`,
  )
  return `# millrace's completion for bash: source <(millrace completion bash)
_millrace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "$command $before" in
${choices.join('\n')}
  esac
  if [ -z "$words" ] && [[ "$current" == -* ]]; then
    case "$command" in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _millrace millrace
`
}

function zshScript(commands: readonly Completed[]): string {
  const named = commands.map(({ name, description }) => `    '${name}:${zshQuoted(description)}'`)
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(({ flag, description, choices }) => {
      const value = choices.length > 0 ? `: :(${choices.join(' ')})` : ''
      return ` '${flag}[${zshQuoted(description)}]${value}'`
    })
    return `    ${name}) _arguments${specs.join('')} '--help[show help]' '*: :_files' ;;`
  })
  return `#compdef millrace
# millrace's completion for zsh: source <(millrace completion zsh)
_millrace() {
  local -a commands
  commands=(
${named.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _millrace millrace
`
}

function fishScript(commands: readonly Completed[]): string {
  const lines = ["# millrace's completion for fish: millrace completion fish | source"]
  for (const { name, description, options } of commands) {
    lines.push(`complete -c millrace -n __fish_use_subcommand -a ${name} -d '${fishQuoted(description)}'`)
    for (const { flag, description: about, choices } of options) {
      if (!flag.startsWith('--')) continue
      const value = choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : ''
      const seen = `'__fish_seen_subcommand_from ${name}'`
      lines.push(`complete -c millrace -n ${seen} -l ${flag.slice(2)}${value} -d '${fishQuoted(about)}'`)
    }
  }
  return `${lines.join('\n')}\n`
}

function choicesOf(commands: readonly Completed[]) {
  return commands.flatMap(({ name, options }) =>
    options.filter(({ choices }) => choices.length > 0).map(({ flag, choices }) => ({ command: name, flag, choices })),
  )
}

/** Inside single quotes, where brackets and colons divide. */
function zshQuoted(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[[\]:\\]/g, '\\$&')
}

function fishQuoted(text: string): string {
  return text.replace(/['\\]/g, '\\$&')
}
