/** What an item has written, as its executor keeps it: one of the answers of `GET /v1/log`. */
export interface ItemLog {
  readonly item: number;
  readonly attempt: number;
  /** The name of the instance that has it. */
  readonly instance: string;
  /** Whole lines, each with its end. */
  readonly text: string;
  /** Where to ask on, while there is more. */
  readonly nextLine?: number;
}

/** The answer of `GET /v1/log`. */
export interface LogAnswer {
  /** One. */
  readonly logs: readonly ItemLog[];
}
