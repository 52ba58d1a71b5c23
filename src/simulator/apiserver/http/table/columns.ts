/** A column of a server-side table (metav1.TableColumnDefinition). */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** Above 0 = shown with `-o wide` only. */
  readonly priority: number;
}

/** What a cell may hold. */
export type Cell = string | number | boolean | null;

/** How one kind is shown: its columns, and the cells of an object at an instant (milliseconds since the epoch). */
export interface RowPrinter {
  readonly columns: readonly ColumnDefinition[];
  cells(object: unknown, now: number): readonly Cell[];
}

/** A column of text; `wide` = shown with `-o wide` only. */
export function column(
  name: string,
  description: string,
  options: { readonly type?: string; readonly wide?: boolean } = {},
): ColumnDefinition {
  return { name, type: options.type ?? "string", format: "", description, priority: options.wide ? 1 : 0 };
}

/** The first column of every table. */
export const nameColumn: ColumnDefinition = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name must be unique within a namespace.",
  priority: 0,
};

/** The column that most tables of built-in kinds have; its cells are text. */
export const ageColumn: ColumnDefinition = column("Age", "The time since the object was created.");
