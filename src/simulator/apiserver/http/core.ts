import type { ApiReply } from "../reply.ts";
import type { Access, Decision, User } from "../authorization/rbac.ts";
import type { ApiRequest } from "../request-path.ts";
import type { ServedResource } from "../served-resource.ts";
import type { WatchHandle } from "../watches.ts";

/** What the HTTP front asks of the API server: an {@link ApiServer}, or what stands before one to delay its answers. */
export interface ServerCore {
  /** Everything but watches. Refusals are replies too: it throws only on a defect. */
  respond(request: ApiRequest): ApiReply | Promise<ApiReply>;
  /** Opens a watch, or answers why not. */
  watch(request: ApiRequest): WatchHandle | ApiReply;
  /** Whose token it is, beside the administrator's; absent = there are no others. */
  authenticate?(token: string): User | undefined;
  /** Whether the user may; absent = everybody may do everything. */
  authorize?(user: User, access: Access): Decision;
  /** All kinds that are served now, CRDs included, in a stable order. */
  resources(): readonly ServedResource[];
}
