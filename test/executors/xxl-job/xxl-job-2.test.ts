import { describeConversation } from "./conversation.ts";

describeConversation("2.4.2");
