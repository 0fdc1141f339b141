// Signed calls of the service iot over connections that stay open, and the loads made of them.
import { createHash, createHmac } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const region = 'us-east-1';
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

// Connection: one call at a time. `server`: {port, key: {AccessKeyId, SecretAccessKey}}.
class Connection {
  constructor({ port, key }) {
    this.host = `127.0.0.1:${port}`;
    this.key = key;
    this.received = '';
    this.socket = net.connect(port, '127.0.0.1').setNoDelay().setEncoding('utf8');
    this.socket.on('data', (part) => {
      this.received += part;
      this.look();
    });
    const end = (error) => this.waiting?.reject(error ?? new Error('the server has closed'));
    this.socket.on('error', end).on('close', () => end());
  }

  // The document that answers; throws what is not 2xx. `path` has no characters to escape.
  async call(method, path, body) {
    const { status, text } = await new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(this.request(method, path, body === undefined ? '' : JSON.stringify(body)));
    });
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text ? JSON.parse(text) : {};
  }

  // Signature Version 4; the key of a day is derived once.
  request(method, path, body) {
    const time = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
    const day = time.slice(0, 8);
    if (this.day !== day) {
      this.signing = [region, 'iot', 'aws4_request'].reduce(hmac,
        hmac(`AWS4${this.key.SecretAccessKey}`, day));
      this.day = day;
    }
    const [route, query = ''] = path.split('?');
    const scope = `${day}/${region}/iot/aws4_request`;
    const canonical = `${method}\n${route}\n${query.split('&').sort().join('&')}\n` +
      `host:${this.host}\nx-amz-date:${time}\n\nhost;x-amz-date\n${sha256(body)}`;
    const signature = createHmac('sha256', this.signing)
      .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).digest('hex');
    return `${method} ${path} HTTP/1.1\r\nHost: ${this.host}\r\nX-Amz-Date: ${time}\r\n` +
      `Authorization: AWS4-HMAC-SHA256 Credential=${this.key.AccessKeyId}/${scope}, ` +
      `SignedHeaders=host;x-amz-date, Signature=${signature}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  look() {
    const head = this.received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.received.slice(0, head))?.[1] ?? 0);
    const end = head + 4 + length;
    if (this.received.length < end) return;
    const answer = { status: Number(this.received.slice(9, 12)),
      text: this.received.slice(head + 4, end) };
    this.received = this.received.slice(end);
    this.waiting.resolve(answer);
  }

  close() {
    this.waiting = undefined;
    this.socket.destroy();
  }
}

async function withConnections(server, count, body) {
  const connections = Array.from({ length: count }, () => new Connection(server));
  try {
    return await body(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

// CPU seconds that a process has used; /proc counts in steps of 10 ms.
function cpuOf(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
const residentOf = (pid) => Number(
  /^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1,
  Math.floor(sorted.length * share))];

// `count` calls shared by the connections, each with the next when it has its answer, or when it is
// due if there is a pace (calls/s, of all). `call`: of a connection and a number.
// {per_s, cpu_us (of the server, each), p50_ms, p99_ms}
async function timed(connections, pid, count, call, pace) {
  const took = new Float64Array(count);
  let next = 0;
  const work = async (connection) => {
    while (next < count) {
      const i = next++;
      const early = pace ? start + (i * 1000) / pace - performance.now() : 0;
      if (early > 0) await delay(early);
      const began = performance.now();
      await call(connection, i);
      took[i] = performance.now() - began;
    }
  };
  const [start, cpu] = [performance.now(), cpuOf(pid)];
  await Promise.all(connections.map(work));
  const used = cpuOf(pid) - cpu, ms = performance.now() - start;
  took.sort();
  return { per_s: (count * 1000) / ms, cpu_us: (used * 1e6) / count,
    p50_ms: percentile(took, 0.5), p99_ms: percentile(took, 0.99) };
}

// Has things, shadows and connections indexed; returns when they are: after so many ms.
export async function indexAll(connection) {
  const began = performance.now();
  await connection.call('POST', '/indexing/config', { thingIndexingConfiguration: {
    thingIndexingMode: 'REGISTRY_AND_SHADOW', thingConnectivityIndexingMode: 'STATUS' } });
  for (;;) {
    const { indexStatus } = await connection.call('GET', '/indices/AWS_Things');
    if (indexStatus === 'ACTIVE') return performance.now() - began;
    await delay(20);
  }
}
export const switchIndexOn = (server) => withConnections(server, 1, ([one]) => indexAll(one));

// A registry of many things: they are created by 16 clients, described, listed page by page, and
// searched: a page of 100 of the thousand or so that are in a room.
export function things(server, { things: count, describes, pace }) {
  return withConnections(server, 16, async (connections) => {
    const name = (i) => `/things/thing-${String(i).padStart(8, '0')}`;
    const created = await timed(connections, server.pid, count, (connection, i) => connection.call(
      'POST', name(i), { attributePayload: { attributes: { model: 'lamp', room: `${i % 1000}` } } }));
    const resident = residentOf(server.pid);
    // In a different order than they were made. At full speed the clients' own thread is busy, so
    // calls wait in it: what the server takes shows at a pace.
    const describe = (connection, i) => connection.call('GET', name((i * 7919) % count));
    const described = await timed(connections, server.pid, describes, describe);
    const paced = await timed(connections, server.pid, describes / 10, describe, pace);
    let token, listed = 0;
    const page = async (connection) => {
      const { things: found, nextToken } = await connection.call('GET',
        `/things?maxResults=250${token ? `&nextToken=${encodeURIComponent(token)}` : ''}`);
      token = nextToken;
      listed += found.length;
    };
    const pages = Math.ceil(Math.min(count, 100_000) / 250);
    const paged = await timed(connections.slice(0, 1), server.pid, pages, page);
    const indexMs = await indexAll(connections[0]);
    let found = 0;
    const search = async (connection, i) => {
      const answer = await connection.call('POST', '/indices/search',
        { queryString: `attributes.room:${(i * 7) % 1000}`, maxResults: 100 });
      found += answer.things.length;
    };
    const searched = await timed(connections.slice(0, 1), server.pid, 1000, search, 100);
    const missed = 1000 * Math.min(100, Math.floor(count / 1000)) - found;
    return { index_s: indexMs / 1000, search_p99_ms: searched.p99_ms, search_p50_ms: searched.p50_ms,
      search_cpu_us: searched.cpu_us, creates_per_s: created.per_s, create_cpu_us: created.cpu_us, create_p99_ms: created.p99_ms,
      describes_per_s: described.per_s, describe_cpu_us: described.cpu_us,
      describe_p99_ms: described.p99_ms, paced_p99_ms: paced.p99_ms, page_p99_ms: paged.p99_ms, resident_mb: resident,
      lost: Math.min(count, pages * 250) - listed + missed };
  });
}

// Registers a device's certificate, and lets it do all it wants by the last of ten statements.
export function registerDevice(server, certificateFile) {
  const others = ['Publish', 'Subscribe', 'Receive'].flatMap((action, i) => [1, 2, 3].map((n) => ({
    Effect: n === 3 ? 'Deny' : 'Allow', Action: `iot:${action}`,
    Resource: `arn:aws:iot:${region}:123456789012:${i === 1 ? 'topicfilter' : 'topic'}` +
      `/other-${n}/\${iot:ClientId}/*` })));
  const policyDocument = JSON.stringify({ Version: '2012-10-17',
    Statement: [...others, { Effect: 'Allow', Action: 'iot:*', Resource: '*' }] });
  return withConnections(server, 1, async ([connection]) => {
    const { certificateArn } = await connection.call('POST', '/certificate/register-no-ca',
      { certificatePem: fs.readFileSync(certificateFile, 'utf8'), status: 'ACTIVE' });
    await connection.call('POST', '/policies/bench', { policyDocument });
    await connection.call('PUT', '/target-policies/bench', { target: certificateArn });
  });
}
