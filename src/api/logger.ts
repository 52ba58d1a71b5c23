/** What a log line carries besides its constant message. Values are made printable by the logger; `error` may hold a thrown value. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the operator says what it does. Messages are constant words, so that lines can be counted and searched; what varies is a field.
 * Never throws and never waits. Whoever throws an error does not log it too.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** Says nothing: for tests, and for parts whose words nobody reads. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
