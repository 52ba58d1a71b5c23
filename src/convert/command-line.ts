/**
 * The words of a command line as ElasticJob's script executor splits it (Apache Commons Exec): blanks part words, single and double quotes hold
 * them together and are taken away, nothing else is special, no shell is asked. Undefined when a quote is not closed.
 */
export function splitCommandLine(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (const character of line.trim()) {
    if (quote !== "") {
      if (character === quote) quote = "";
      else word = `${word ?? ""}${character}`;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ""}${character}`;
  }
  if (quote !== "") return undefined;
  return word === undefined ? words : [...words, word];
}

/** A text as Kubernetes must be given it in command and args, where `$(NAME)` stands for a variable and `$$` for `$`. */
export function literalArgument(text: string): string {
  return text.replaceAll(/\$(?=[$(])/g, () => "$$");
}
