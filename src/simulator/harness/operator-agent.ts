/** By what the operator's requests are told from all others. */
export const operatorAgent = "nuptse-operator";
