import type { TaskAnswer } from "../api/executor.ts";

/** Shorter ones are no secret, and would be found in any text. */
const shortestSecret = 6;

/** What is wrong with a token; undefined = it can be sent. The sentence says nothing of the token itself. */
export function tokenProblem(token: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(token)
    ? undefined
    : "the token of executor.tokenSecretRef must be printable ASCII without blanks or line ends";
}

/** An answer without the token: an executor may tell what it was sent, and answers end in status, events and logs. */
export function withoutToken(answer: TaskAnswer, token: string | undefined): TaskAnswer {
  if (token === undefined || token.length < shortestSecret) return answer;
  const hide = (text: string) => text.replaceAll(token, "***");
  switch (answer.kind) {
    case "accepted":
    case "unknown":
      return answer;
    case "ended": {
      const { message, result } = answer;
      return { ...answer, message: message && hide(message), result: result && hide(result) };
    }
    case "progress":
      return { ...answer, message: answer.message && hide(answer.message) };
    default:
      return { ...answer, message: hide(answer.message) };
  }
}
