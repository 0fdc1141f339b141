// Devices' certificates, as a user makes them.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { run } from './server.mjs';

// The certificate that `gnomon device cert` makes for `name` in a server's folder: {ca, cert, key} for
// node:tls, and the paths of their files. `args`: more of its options.
export async function deviceCertificate(server, name, ...args) {
  const out = path.join(server.folder, `device-${name}`);
  const { code, stderr } =
    await run(['device', 'cert', name, '--data', server.data, '--out', out, ...args]);
  if (code !== 0) throw new Error(`gnomon device cert: ${stderr}`);
  const files = { ca: server.ready.ca, cert: path.join(out, `${name}.cert.pem`),
    key: path.join(out, `${name}.key.pem`) };
  const pem = Object.entries(files).map(([part, file]) => [part, fs.readFileSync(file)]);
  return { ...Object.fromEntries(pem), files };
}

// Leaves the first certificate of a PEM text for the server to register, as `gnomon device cert` does.
export function leave(server, pem) {
  const text = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/.exec(pem.toString());
  const id = createHash('sha256').update(Buffer.from(text[1], 'base64')).digest('hex');
  const folder = path.join(server.data, 'devices');
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  fs.writeFileSync(path.join(folder, `${id}.pem`), `${text[0]}\n`, { mode: 0o600 });
}

// For TLS without a certificate of one's own.
export const rootOf = (server) => ({ ca: fs.readFileSync(server.ready.ca) });
