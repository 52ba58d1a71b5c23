import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addResources,
  fitsWithin,
  formatAmount,
  formatResources,
  largerResources,
  multiplyResources,
  parseAmount,
  parseResources,
  subtractResources,
} from "../../../src/quota/resource-vector.ts";

const gpu = "nvidia.com/gpu";

describe("resource vectors", () => {
  describe("a quantity is read exactly, a request rounded up and capacity down", () => {
    const cases: readonly { name: string; resource: string; value: string | number; up: number; down?: number }[] = [
      { name: "cores", resource: "cpu", value: "2", up: 2000 },
      { name: "thousandths of a core", resource: "cpu", value: "1500m", up: 1500 },
      { name: "a JSON number", resource: "cpu", value: 0.1, up: 100 },
      { name: "a fraction without a whole", resource: "cpu", value: ".5", up: 500 },
      { name: "a whole with a point", resource: "cpu", value: "3.", up: 3000 },
      { name: "less than a thousandth of a core", resource: "cpu", value: "100u", up: 1, down: 0 },
      { name: "a nanocore more than a core", resource: "cpu", value: "1000000001n", up: 1001, down: 1000 },
      { name: "a plus sign", resource: "cpu", value: "+1", up: 1000 },
      { name: "Gi of memory are KiB", resource: "memory", value: "2Gi", up: 2 * 1024 * 1024 },
      { name: "a byte of memory", resource: "memory", value: "1", up: 1, down: 0 },
      { name: "decimal megabytes: 10^6 / 1024 = 976.5625", resource: "memory", value: "1M", up: 977, down: 976 },
      { name: "half a Ki", resource: "memory", value: "1.5Ki", up: 2, down: 1 },
      { name: "thousandths of a byte, as Kubernetes may store them", resource: "memory", value: "128974848000m", up: 125952 },
      { name: "an exponent", resource: "memory", value: "128e6", up: 125000 },
      { name: "a capital exponent", resource: "memory", value: "1E3", up: 1, down: 0 },
      { name: "E alone is 10^18 bytes", resource: "memory", value: "0.1E", up: 97656250000000 },
      { name: "a negative exponent", resource: "cpu", value: "5e-1", up: 500 },
      { name: "local disk", resource: "ephemeral-storage", value: "1Mi", up: 1024 },
      { name: "huge pages", resource: "hugepages-2Mi", value: "4Mi", up: 4096 },
      { name: "pieces of an extended resource", resource: gpu, value: "8", up: 8 },
      { name: "pods", resource: "pods", value: "110", up: 110 },
      { name: "thousands of pieces", resource: "example.com/licence", value: "2k", up: 2000 },
      { name: "zero with a sign", resource: "cpu", value: "-0", up: 0 },
      { name: "far below one", resource: "cpu", value: "1e-200", up: 1, down: 0 },
    ];
    for (const tc of cases) {
      it(tc.name, () => {
        assert.equal(parseAmount(tc.resource, tc.value, "Up"), tc.up);
        assert.equal(parseAmount(tc.resource, tc.value, "Down"), tc.down ?? tc.up);
      });
    }
  });

  describe("an error says what is wrong", () => {
    const cases: readonly { name: string; value: string; message: RegExp }[] = [
      { name: "no number", value: "two", message: /^cpu: "two" is not a quantity such as/ },
      { name: "nothing", value: "", message: /^cpu: "" is not a quantity/ },
      { name: "a suffix alone", value: "Gi", message: /is not a quantity/ },
      { name: "a point alone", value: ".", message: /is not a quantity/ },
      { name: "an unknown suffix", value: "5Kb", message: /is not a quantity/ },
      { name: "Ki in small letters", value: "5ki", message: /is not a quantity/ },
      { name: "a blank", value: "5 Gi", message: /is not a quantity/ },
      { name: "a percentage", value: "50%", message: /is not a quantity/ },
      { name: "negative", value: "-1", message: /^cpu: "-1" must not be negative$/ },
      { name: "absurd", value: "1e30", message: /^cpu: "1e30" is more than any cluster has$/ },
      { name: "an absurd exponent", value: "1e999999999", message: /more than any cluster has/ },
      { name: "a long text", value: "1".repeat(10_000), message: /is not a quantity/ },
    ];
    for (const tc of cases) {
      it(tc.name, () => assert.throws(() => parseAmount("cpu", tc.value, "Up"), { name: "QuantityError", message: tc.message }));
    }
  });

  it("takes any resource, and leaves out what is nothing", () => {
    assert.deepEqual(parseResources({ cpu: "1", memory: "1Gi", [gpu]: 2, pods: "0" }, "Up"), { cpu: 1000, memory: 1048576, [gpu]: 2 });
  });

  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(fc.constantFrom("cpu", "memory", "pods", gpu), fc.nat(2 ** 31 - 1), fc.nat(2 ** 16 - 1), (resource, low, high) => {
        const amount = high * 2 ** 32 + low;
        assert.equal(parseAmount(resource, formatAmount(resource, amount), "Down"), amount);
      }),
    );
    assert.deepEqual(formatResources({ memory: 6 * 1024 * 1024, cpu: 2500, [gpu]: 3 }), { cpu: "2500m", memory: "6Gi", [gpu]: "3" });
    assert.equal(formatAmount("cpu", 3000), "3");
    assert.equal(formatAmount("memory", 1025), "1025Ki");
  });

  it("adds, takes away, multiplies and compares by component", () => {
    const a = { cpu: 1000, memory: 10 };
    const b = { cpu: 500, [gpu]: 1 };
    assert.deepEqual(addResources(a, b, b), { cpu: 2000, memory: 10, [gpu]: 2 });
    assert.deepEqual(subtractResources(a, { cpu: 1000, memory: 4, [gpu]: 3 }), { memory: 6 });
    assert.deepEqual(multiplyResources(b, 3), { cpu: 1500, [gpu]: 3 });
    assert.deepEqual(multiplyResources(b, 0), {});
    assert.deepEqual(largerResources(a, b), { cpu: 1000, memory: 10, [gpu]: 1 });
    assert.equal(fitsWithin(b, { cpu: 500, [gpu]: 1 }), true);
    assert.equal(fitsWithin(b, { cpu: 5000 }), false);
  });
});
