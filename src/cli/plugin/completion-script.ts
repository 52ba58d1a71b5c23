const note = (
  comment: string,
) => `${comment} Completion for kubectl-nuptse. For "kubectl nuptse <TAB>" kubectl's own completion must be loaded, and
${comment} an executable kubectl_complete-nuptse must be in PATH. This package brings one; by hand it is
${comment}   #!/bin/sh
${comment}   exec kubectl-nuptse __complete "$@"`;

const scripts: Readonly<Record<"bash" | "zsh" | "fish", string>> = {
  bash: `${note("#")}
# Load it with: source <(kubectl nuptse completion bash)
_kubectl_nuptse() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :* ]] && continue
    line=\${line%%$'\\t'*}
    [[ $line == "\${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$line")
  done < <(kubectl-nuptse __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _kubectl_nuptse kubectl-nuptse`,
  zsh: `#compdef kubectl-nuptse
${note("#")}
# Load it with: source <(kubectl nuptse completion zsh)
_kubectl_nuptse() {
  local line
  local -a found
  while IFS= read -r line; do
    [[ $line == :* ]] && continue
    found+=("\${line/$'\\t'/:}")
  done < <(kubectl-nuptse __complete "\${words[@]:1:$((CURRENT-1))}" 2>/dev/null)
  _describe 'kubectl-nuptse' found
}
compdef _kubectl_nuptse kubectl-nuptse`,
  fish: `${note("#")}
# Load it with: kubectl nuptse completion fish | source
function __kubectl_nuptse
    set -l words (commandline -opc) (commandline -ct)
    kubectl-nuptse __complete $words[2..-1] 2>/dev/null | string match -v -r '^:'
end
complete -c kubectl-nuptse -f -a '(__kubectl_nuptse)'`,
};

/** The script that makes a shell complete the plugin's words. */
export function completionScript(shell: "bash" | "zsh" | "fish"): string {
  return scripts[shell];
}
