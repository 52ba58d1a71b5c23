/** Texts for a terminal; without colours each function returns what it is given. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  busy(text: string): string;
}

const painted = (open: number, close: number) => (text: string) => (text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`);
const plain = (text: string): string => text;

/** @param colours whether whoever reads can show them */
export function createStyle(colours: boolean): Style {
  if (!colours) return { bold: plain, dim: plain, good: plain, bad: plain, busy: plain };
  return { bold: painted(1, 22), dim: painted(2, 22), good: painted(32, 39), bad: painted(31, 39), busy: painted(36, 39) };
}

/** A phase of a run, an item or a request in its colour. `text` is what is shown when it is not the phase itself. */
export function phaseStyle(style: Style, phase: string, text = phase): string {
  if (phase === "Succeeded") return style.good(text);
  if (phase === "Failed" || phase === "Cancelled" || phase === "Lost") return style.bad(text);
  return phase === "Running" || phase === "Starting" ? style.busy(text) : text;
}
