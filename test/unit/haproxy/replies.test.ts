import assert from "node:assert/strict";
import {
  commandError,
  complainedLines,
  parseBackendFigures,
  parseBackends,
  parseInfo,
  parseMap,
  parseProcesses,
  parseReload,
  parseServerStates,
  parseSessions,
  ReplyCollector,
} from "../../../src/haproxy/rules/replies.ts";

/** As HAProxy 3.2.26 said it in interactive mode: `prompt`, severities, then four commands. */
const conversation = "\n> \n> [6]: New server registered.\n\n> \n> [3]: No such backend.\n\n> 0x7fcb192b4a80 27100 http_27100\n\n> ";
const answers = ["", "", "[6]: New server registered.", "", "[3]: No such backend.", "0x7fcb192b4a80 27100 http_27100"];

describe("haproxy/replies: answers that are cut", () => {
  it("are the same wherever they are cut in two", () => {
    for (let cut = 0; cut <= conversation.length; cut++) {
      const collector = new ReplyCollector(answers.length);
      const first = collector.add(conversation.slice(0, cut));
      const all = first ?? collector.add(conversation.slice(cut));
      assert.deepEqual(all, answers, `cut at ${cut}`);
    }
  });

  it("are the same character by character, and not complete before the last", () => {
    const collector = new ReplyCollector(answers.length);
    const texts = [...conversation].map((character) => collector.add(character));
    assert.deepEqual(texts.at(-1), answers);
    assert.ok(texts.slice(0, -1).every((text) => text === undefined));
  });
});

const errors: readonly { readonly name: string; readonly reply: string; readonly want: string | undefined }[] = [
  { name: "nothing, as setters say", reply: "", want: undefined },
  { name: "what add server says", reply: "[6]: New server registered.", want: undefined },
  { name: "what del server says", reply: "[6]: Server deleted.", want: undefined },
  {
    name: "what set server addr says, as a warning",
    reply: "[4]: IP changed from '127.0.0.1' to '127.0.0.9', port changed from '37909' to '9' by 'stats socket command'",
    want: undefined,
  },
  { name: "an error", reply: "[3]: No such server.", want: "No such server." },
  {
    name: "a server that has connections",
    reply: "[3]: Server still has connections attached to it, cannot remove it.",
    want: "Server still has connections attached to it, cannot remove it.",
  },
  {
    name: "a command that is not known, as information",
    reply: "[6]: Unknown command: 'bogus', but maybe\n  help",
    want: "Unknown command: 'bogus', but maybe",
  },
  { name: "something without a severity", reply: "Permission denied", want: "Permission denied" },
];

describe("haproxy/replies: an answer with the sign of the prompt in it", () => {
  it("is one answer", () =>
    assert.deepEqual(new ReplyCollector(1).add("[6]: Unknown command: 'x' -> see help\n  help\n> "), [
      "[6]: Unknown command: 'x' -> see help\n  help",
    ]));
});

describe("haproxy/replies: which answers are refusals", () => {
  for (const tc of errors) it(tc.name, () => assert.equal(commandError(tc.reply), tc.want));
});

/** From HAProxy 3.2.26. */
const states = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 http_27100 1 a-b 127.0.0.1 1 0 100 100 0 1 0 2 6 0 0 0 - 9 - 0 0 - - 0
3 http_27100 2 c-d 2001:db8::1 2 0 0 100 0 1 0 2 6 0 0 0 - 80 - 0 0 - - 0
3 http_27100 3 e-f 10.0.0.3 0 5 100 100 0 1 0 2 6 0 0 0 - 80 - 0 0 - - 0
3 http_27100 4 g-h 10.0.0.4 0 0 100 100 0 1 0 2 6 0 0 0 - 80 - 0 0 - - 0
3 http_27100 5 i-j 10.0.0.5 2 8 100 100 0 1 0 2 6 0 0 0 - 80 - 0 0 - - 0`;

describe("haproxy/replies: tables", () => {
  it("states of servers, by the names of columns", () => {
    const of = { backend: "http_27100", maintenance: false, drained: false };
    assert.deepEqual(parseServerStates(states), [
      { ...of, name: "a-b", address: "127.0.0.1", port: 9, weight: 100, up: true },
      { ...of, name: "c-d", address: "2001:db8::1", port: 80, weight: 0, up: true },
      { ...of, name: "e-f", address: "10.0.0.3", port: 80, weight: 100, up: false, maintenance: true },
      { ...of, name: "g-h", address: "10.0.0.4", port: 80, weight: 100, up: false },
      { ...of, name: "i-j", address: "10.0.0.5", port: 80, weight: 100, up: true, drained: true },
    ]);
  });

  const wrong = [
    { name: "of another version", text: states.replace(/^1/, "2"), want: /version 1/ },
    { name: "without a column", text: states.replace("srv_port", "srv_gate"), want: /srv_port/ },
    { name: "with a row that is cut off", text: states.slice(0, -10), want: /cut off/ },
    { name: "that is a refusal", text: "[3]: Can't find backend.", want: /Can't find backend/ },
    { name: "that is empty", text: "", want: /version 1/ },
  ];
  for (const tc of wrong) it(`a table of states ${tc.name} is no table`, () => assert.throws(() => parseServerStates(tc.text), tc.want));

  it("a map", () => {
    assert.deepEqual(
      parseMap("0x7fcb192b4a80 27100 http_27100\n0x7fcb192b4a81 pig.example/v1/ http_27101"),
      new Map([
        ["27100", "http_27100"],
        ["pig.example/v1/", "http_27101"],
      ]),
    );
    assert.deepEqual(parseMap(""), new Map());
    assert.throws(() => parseMap("[3]: Unknown map identifier. Please use #<id> or <file>."), /Unknown map identifier/);
    assert.throws(() => parseMap("0x7fcb192b4a80 27100"), /a line is not/);
  });

  it("backends", () => assert.deepEqual(parseBackends("# name\nhttp_27100\ntcp_27101"), ["http_27100", "tcp_27101"]));

  it("a process, with the structure that it runs", () => {
    const info = "Name: HAProxy\nVersion: 3.2.26-1\nPid: 19064\nUptime_sec: 7\ndescription: nuptse 0123456789abcdef";
    assert.deepEqual(parseInfo(info), { pid: 19_064, version: "3.2.26-1", uptimeSeconds: 7, structure: "0123456789abcdef" });
    assert.deepEqual(parseInfo("Version: 3.0.1\nPid: 5\nUptime_sec: 0\ndescription: ours"), { pid: 5, version: "3.0.1", uptimeSeconds: 0 });
    assert.throws(() => parseInfo(""), /no Pid/);
  });

  it("sessions of servers, those that wait in the queue too", () => {
    const text = "# pxname,svname,qcur,qmax,scur,smax\nhttp_27100,a,2,9,3,9\nhttp_27100,b,0,0,0,1";
    assert.deepEqual(
      parseSessions(text),
      new Map([
        ["a", 5],
        ["b", 0],
      ]),
    );
    assert.throws(() => parseSessions("# pxname,svname"), /columns/);
  });

  it("figures of backends", () => {
    const text =
      "# pxname,svname,qcur,qmax,scur,smax,slim,rate,check_desc\nhttp_27100,BACKEND,1,2,3,9,200,7,\ntcp_27101,BACKEND,0,0,0,0,200,0,\nports,FRONTEND,0,0,4,4,9,1,";
    assert.deepEqual(
      parseBackendFigures(text),
      new Map([
        ["http_27100", { sessions: 3, rate: 7 }],
        ["tcp_27101", { sessions: 0, rate: 0 }],
      ]),
    );
    assert.throws(() => parseBackendFigures("# pxname,svname,scur"), /columns/);
  });

  it("processes, old workers apart", () => {
    const text = `#<PID>          <type>          <reloads>       <uptime>        <version>
24481           master          35 [failed: 0]  0d00h00m36s     3.0.11-1
# workers
25338           worker          0               0d00h00m12s     3.0.11-1
# old workers
25142           worker          9               0d00h00m18s     3.0.11-1
# programs
`;
    assert.deepEqual(parseProcesses(text), { master: 24_481, workers: [25_338], oldWorkers: [25_142] });
    assert.throws(() => parseProcesses(""), /no master/);
  });

  it("the verdict of a reload, and the lines that HAProxy complains about", () => {
    const log =
      "[ALERT]    (1) : config : parsing [/g/haproxy.cfg:148]: too many words\n[ALERT]    (1) : Binding [/g/haproxy.cfg:41] for frontend https: cannot bind socket for [127.0.0.1:16225].";
    assert.deepEqual(parseReload(`Success=0\n--\n${log}\n`), { succeeded: false, log });
    assert.deepEqual(parseReload("Success=1\n--\n[NOTICE] (1) : Loading success.\n"), {
      succeeded: true,
      log: "[NOTICE] (1) : Loading success.",
    });
    assert.throws(() => parseReload(""), /no verdict/);
    assert.deepEqual(complainedLines(log, "/g/haproxy.cfg"), [148, 41]);
    assert.deepEqual(complainedLines(log, "/other"), []);
  });
});
