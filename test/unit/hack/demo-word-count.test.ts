import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { copyTexts } from "../../../hack/demo/text-folder.ts";
import { countWords, readResult, ResultError } from "../../../hack/demo/word-count.ts";
import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";

const root = join(import.meta.dirname, "../../..");

describe("hack/demo/word-count", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "nuptse-word-count-"));
    mkdirSync(join(directory, "texts/deep"), { recursive: true });
    writeFileSync(join(directory, "texts/one.txt"), "The cat, the DOG; it's naïve: a cat2cat\n");
    writeFileSync(join(directory, "texts/deep/two.txt"), "zebra a\n");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** the cat the dog it s na ve a cat cat zebra a = 13, by hand. */
  const want = {
    total: 13,
    top: [
      { word: "cat", count: 3 },
      { word: "a", count: 2 },
      { word: "the", count: 2 },
      { word: "dog", count: 1 },
    ],
  };

  it("counts words of letters a to z below a directory, equal counts by the alphabet", () => {
    assert.deepEqual(countWords(join(directory, "texts"), 4), want);
  });

  it("reads the result of the reduce", () => {
    assert.deepEqual(readResult("total 13\ncat 3\na 2\nthe 2\ndog 1\nit 1\n", 4), want);
  });

  for (const value of ["", "cat 3", "total 3\ncat", "total x"]) {
    it(`refuses ${JSON.stringify(value)} as a result`, () => {
      assert.throws(() => readResult(value, 3), ResultError);
    });
  }

  it("the programs of examples/word-count.yaml count and reduce to the same", function () {
    this.timeout(60_000);
    const manifest = load(readFileSync(join(root, "examples/word-count.yaml"), "utf8")) as ElasticJob;
    const container = manifest.spec.template?.spec.containers[0];
    const script = container?.args?.[0]?.replace("sleep 1", ":") ?? "";
    const work = (item: number, attempt: number) => {
      const file = join(directory, `result-${item}-${attempt}`);
      const { status } = spawnSync("sh", ["-c", script], {
        env: {
          PATH: process.env["PATH"],
          JOB_PARAMETER: join(directory, "texts"),
          SHARDING_ITEM: String(item),
          SHARDING_TOTAL_COUNT: "4",
          SHARDING_PARAMETER: manifest.spec.sharding?.parameters?.[item],
          NUPTSE_ATTEMPT: String(attempt),
          NUPTSE_RESULT_FILE: file,
        },
      });
      return { status, value: readFileSync(file, "utf8") };
    };
    const first = [0, 1, 2, 3].map((item) => work(item, 1));
    assert.deepEqual(
      first.map(({ status }) => status),
      [0, 1, 0, 0],
    );
    const lines = [first[0], work(1, 2), first[2], first[3]].map((each, item) => JSON.stringify({ item, result: each?.value }));
    const results = join(directory, "results.jsonl");
    const result = join(directory, "result");
    writeFileSync(results, `${lines.join("\n")}\n`);
    const merge = manifest.spec.reduce?.template.spec.containers[0]?.args?.[0] ?? "";
    const { status } = spawnSync("sh", ["-c", merge], {
      env: { PATH: process.env["PATH"], NUPTSE_RESULTS_FILE: results, NUPTSE_RESULT_FILE: result },
    });
    assert.equal(status, 0);
    assert.deepEqual(readResult(readFileSync(result, "utf8"), 4), want);
  });
});

describe("hack/demo/text-folder", () => {
  it("every copy ends a line, so that files read as one stream keep their words apart", () => {
    const directory = mkdtempSync(join(tmpdir(), "nuptse-texts-"));
    try {
      mkdirSync(join(directory, "from/docs"), { recursive: true });
      writeFileSync(join(directory, "from/README.md"), "no end of line");
      writeFileSync(join(directory, "from/docs/a.md"), "a line\n");
      const folder = copyTexts(join(directory, "from"), join(directory, "to"));
      assert.deepEqual({ files: folder.files, bytes: folder.bytes }, { files: 2, bytes: 21 });
      assert.equal(readFileSync(join(directory, "to/README.md"), "utf8"), "no end of line\n");
      assert.equal(readFileSync(join(directory, "to/docs/a.md"), "utf8"), "a line\n");
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
