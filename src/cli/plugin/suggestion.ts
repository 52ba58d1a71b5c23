/** The candidate that was most likely meant by a misspelt word; undefined when none is near. */
export function suggestionFor(word: string, candidates: Iterable<string>): string | undefined {
  const farthest = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = farthest + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > farthest && !candidate.startsWith(word)) continue;
    // Who typed the beginning of a long name meant that name.
    const distance = word.length >= 3 && candidate.startsWith(word) ? 1 : editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** How many letters must be put in, left out, changed or swapped with their neighbour to make one word of the other. */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        least = Math.min(least, (before[column - 2] as number) + 1);
      current.push(least);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] as number;
}
