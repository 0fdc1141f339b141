// Certificates for TLS: an authority, a server on 127.0.0.1, a client; ECDSA P-256, as Gnomon's own,
// or RSA of 2,048 bits. Made by openssl in the throwaway folder.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const kinds = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
  rsa: ['-newkey', 'rsa:2048', '-nodes'],
};

// Returns file names: {ca, server: {cert, key}, client: {cert, key}}.
export function makeCertificates(folder, kind = 'ec') {
  const newKey = kinds[kind];
  const file = (name) => path.join(folder, name);
  const ca = { cert: file('ca.pem'), key: file('ca.key') };
  openssl('req', '-x509', ...newKey, '-keyout', ca.key, '-out', ca.cert, '-days', '30', '-subj',
    '/CN=bench ca');
  const issue = (name, extensions) => {
    const made = { cert: file(`${name}.pem`), key: file(`${name}.key`) };
    const [request, ext] = [file(`${name}.csr`), file(`${name}.ext`)];
    fs.writeFileSync(ext, extensions);
    openssl('req', ...newKey, '-keyout', made.key, '-out', request, '-subj', `/CN=${name}`);
    openssl('x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial',
      '-days', '30', '-extfile', ext, '-out', made.cert);
    // A peer that was started as root reads it as another user.
    fs.chmodSync(made.key, 0o644);
    return made;
  };
  return { ca: ca.cert,
    server: issue('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth'),
    client: issue('client', 'extendedKeyUsage=clientAuth') };
}
