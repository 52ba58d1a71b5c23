/** A command could not do what was asked, or the result is not a success. The message is one line; "" = all has been said. */
export class CommandFailure extends Error {
  /** 1, but where another program was run in our place. */
  readonly exitCode: number;

  constructor(message: string, options?: ErrorOptions & { readonly exitCode?: number }) {
    super(message.trim().replaceAll(/\s*\n\s*/g, " "), options);
    this.name = "CommandFailure";
    this.exitCode = options?.exitCode ?? 1;
  }
}
