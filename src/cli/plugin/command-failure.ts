/** A command could not do what was asked, or the result is not a success: exit code 1. The message is one line; "" = all has been said. */
export class CommandFailure extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message.trim().replaceAll(/\s*\n\s*/g, " "), options);
    this.name = "CommandFailure";
  }
}
