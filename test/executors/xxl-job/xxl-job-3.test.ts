import { describeConversation } from "./conversation.ts";

describeConversation("3.3.2");
