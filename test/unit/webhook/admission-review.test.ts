import assert from "node:assert/strict";
import { readReview, ReviewError, reviewOf } from "../../../src/webhook/admission-review.ts";

const request = {
  uid: "705ab4f5",
  kind: { group: "nuptse.dev", version: "v1alpha1", kind: "ElasticJob" },
  operation: "CREATE",
  namespace: "shop",
  userInfo: { username: "alice", groups: ["a"] },
  object: { metadata: { name: "nightly" } },
  oldObject: null,
};
const review = (differs: object = {}) =>
  JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request, ...differs });

describe("webhook/admission-review", () => {
  it("reads a request as the API server sends it, null for what there is not", () => {
    assert.deepEqual(readReview(review()), {
      uid: "705ab4f5",
      kind: request.kind,
      operation: "CREATE",
      namespace: "shop",
      userInfo: { username: "alice" },
      object: request.object,
    });
  });

  const bad = [
    { name: "what is not JSON", body: "{", want: /must be an AdmissionReview of admission\.k8s\.io\/v1/ },
    { name: "nothing", body: "null", want: /must be an AdmissionReview/ },
    { name: "another kind", body: review({ kind: "Pod" }), want: /must be an AdmissionReview/ },
    { name: "another version", body: review({ apiVersion: "admission.k8s.io/v1beta1" }), want: /of admission\.k8s\.io\/v1/ },
    { name: "no request", body: review({ request: null }), want: /no request with uid, kind and operation/ },
    { name: "a request without uid", body: review({ request: { ...request, uid: 1 } }), want: /no request with uid/ },
  ];
  for (const { name, body, want } of bad) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => readReview(body),
        (error) => error instanceof ReviewError && want.test(error.message),
      );
    });
  }

  it("allows with the uid of the request", () => {
    assert.deepEqual(reviewOf(readReview(review()), { kind: "allowed" }), {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: "705ab4f5", allowed: true },
    });
  });

  it("carries a patch as base64 of JSON", () => {
    const { response } = reviewOf(readReview(review()), { kind: "allowed", patch: [{ op: "remove", path: "/a" }] });
    assert.deepEqual(response, {
      uid: "705ab4f5",
      allowed: true,
      patchType: "JSONPatch",
      // echo -n '[{"op":"remove","path":"/a"}]' | base64
      patch: "W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL2EifV0=",
    });
  });

  it("refuses with the code of an invalid object, all problems in the message and one cause for each", () => {
    const problems = [
      { path: "spec.a", message: "is 1; must be 2" },
      { path: "spec.b", message: "is missing" },
    ];
    const { response } = reviewOf(readReview(review()), { kind: "refused", problems });
    assert.deepEqual(response, {
      uid: "705ab4f5",
      allowed: false,
      status: {
        metadata: {},
        status: "Failure",
        reason: "Invalid",
        code: 422,
        message: "spec.a: is 1; must be 2; spec.b: is missing",
        details: {
          name: "nightly",
          group: "nuptse.dev",
          kind: "ElasticJob",
          causes: [
            { reason: "FieldValueInvalid", field: "spec.a", message: "is 1; must be 2" },
            { reason: "FieldValueInvalid", field: "spec.b", message: "is missing" },
          ],
        },
      },
    });
  });

  it("tells fifty problems and the number of the others", () => {
    const problems = Array.from({ length: 60 }, (_, index) => ({ path: `p${index}`, message: "is wrong" }));
    const { response } = reviewOf(readReview(review()), { kind: "refused", problems });
    const { message, details } = (response as { status: { message: string; details: { causes: unknown[] } } }).status;
    assert.match(message, /p49: is wrong and 10 others$/);
    assert.equal(details.causes.length, 50);
  });
});
