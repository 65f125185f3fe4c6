// A central system on the package ocpp-rpc in strict mode: it checks every message of both sides
// against its own schemas. It is driven by lines of JSON on standard input, tells what it hears in
// lines of JSON on standard output, and ends when its input ends. Given a folder it speaks TLS with the
// certificates in there: a box is let in by one of its authority, or by any password.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import ocppRpc from "ocpp-rpc";

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const now = () => ({ currentTime: new Date().toISOString() });
const accepted = { idTagInfo: { status: "Accepted" } };
const [folder] = process.argv.slice(2);
let transactionId = 1000;

const answers = {
    Authorize: () => accepted,
    BootNotification: () => ({ status: "Accepted", interval: 300, ...now() }),
    DataTransfer: () => ({ status: "UnknownVendorId" }),
    Heartbeat: now,
    SignCertificate: () => ({ status: "Accepted" }),
    StartTransaction: () => ({ transactionId: transactionId++, ...accepted }),
    StopTransaction: () => accepted,
};

const server = new ocppRpc.RPCServer({ protocols: ["ocpp1.6"], strictMode: true });
let chargePoint;

server.on("client", (client) => {
    chargePoint = client;
    client.handle(({ method }) => answers[method]?.() ?? {});
    client.on("message", ({ message, outbound }) => outbound || tell({ frame: message }));
    client.on("badMessage", ({ error }) => tell({ bad: error.message }));
    client.on("strictValidationFailure", ({ method, isCall, error }) =>
        tell({ invalid: `${method}.${isCall ? "req" : "conf"}: ${error.message}` }));
    client.on("close", ({ code }) => tell({ closed: code }));
});

const certificates = () => {
    const [cert, key, ca] = ["shown", "shown.key", "boxes"].map((name) => readFileSync(join(folder, name)));
    return { cert, key, ca, requestCert: true, rejectUnauthorized: false };
};

function letIn(accept, reject, { password, request: { socket } }) {
    const isKnown = socket.authorized;
    const { subject, fingerprint256 } = socket.getPeerCertificate();
    const fingerprint = fingerprint256?.replaceAll(":", "").toLowerCase() ?? "";
    tell({ caller: { name: subject?.CN ?? "", fingerprint, isKnown, password: password?.toString() ?? "" } });
    if (isKnown || (password && !subject)) accept();
    else reject(subject ? 403 : 401);
}

function listenWithTls() {
    server.auth(letIn);
    const https = createServer(certificates());
    https.on("upgrade", server.handleUpgrade);
    return new Promise((resolve) => https.listen(0, "127.0.0.1", () => resolve(https)));
}

// Off the record: it goes out as it is, however wrong, and only the answer is looked at.
async function callUnchecked(method, params) {
    chargePoint.reconfigure({ strictMode: false });
    try {
        return await chargePoint.call(method, params);
    } finally {
        chargePoint.reconfigure({ strictMode: true });
    }
}

async function obey({ id, order, method, params, text }) {
    try {
        let result = {};
        if (order === "call") result = await chargePoint.call(method, params);
        else if (order === "callUnchecked") result = await callUnchecked(method, params);
        else if (order === "send") chargePoint.sendRaw(text);
        else if (order === "show") http.setSecureContext(certificates());
        else if (order === "drop") await chargePoint.close({ code: 1001, force: true });
        tell({ id, result });
    } catch (error) {
        tell({ id, error: error.constructor.name, code: error.rpcErrorCode, text: error.message });
    }
}

const http = await (folder ? listenWithTls() : server.listen(0, "127.0.0.1"));
tell({ port: http.address().port });
createInterface({ input: process.stdin }).on("line", (line) => obey(JSON.parse(line)));
process.stdin.on("end", () => process.exit(0));
