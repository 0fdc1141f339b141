// X.509 certificates as bytes, for those that no tool would make. Everything can be wrong.

import { createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';

// ---- DER

export function der(tag, ...parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length]
    : length < 65536 ? [0x82, length >> 8, length & 255]
      : [0x83, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
export const sequence = (...parts) => der(0x30, ...parts);
const oids = { ecdsaWithSha256: '06082a8648ce3d040302', ecdsaWithSha1: '06072a8648ce3d0401',
  cn: '0603550403', san: '0603551d11', eku: '0603551d25', keyUsage: '0603551d0f',
  basic: '0603551d13', strange: '06032a0304', clientAuth: '06082b06010505070302',
  serverAuth: '06082b06010505070301' };
export const oid = (name) => Buffer.from(oids[name], 'hex');
const text = (value, tag = 0x0c) => der(tag, Buffer.from(value));  // 0x0c: UTF8String

// A name of common names; none: an empty one. `tag`: of the kind of string.
export const name = (values, tag) => sequence(...[values].flat().map((value) =>
  der(0x31, sequence(oid('cn'), text(value, tag)))));
export const extension = (id, value, critical = false) =>
  sequence(oid(id), ...(critical ? [Buffer.from('0101ff', 'hex')] : []), der(0x04, value));
export const dnsNames = (names) => extension('san',
  sequence(...names.map((each) => der(0x82, Buffer.from(each)))));
export const usage = (...purposes) => extension('eku', sequence(...purposes.map(oid)));
export const authority = extension('basic', sequence(Buffer.from('0101ff', 'hex')), true);

const digits = (date) => date.toISOString().replace(/[-:T]|\.\d+/g, '');
const time = (date) => (date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits(date).slice(2)))
  : der(0x18, Buffer.from(digits(date))));

// ---- certificates

export const newKey = (curve = 'prime256v1') =>
  generateKeyPairSync('ec', { namedCurve: curve }).privateKey;

// The subject of a certificate in PEM, as it stands there.
function subjectOf(pem) {
  const { raw } = new X509Certificate(pem);
  const children = (bytes) => {
    const all = [];
    for (let at = 0; at < bytes.length;) {
      const wide = bytes[at + 1] & 0x80 ? bytes[at + 1] & 0x7f : 0;
      const length = wide ? bytes.readUIntBE(at + 2, wide) : bytes[at + 1];
      const begin = at + 2 + wide;
      all.push({ whole: bytes.subarray(at, begin + length), body: bytes.subarray(begin, begin + length) });
      at = begin + length;
    }
    return all;
  };
  const fields = children(children(children(raw)[0].body)[0].body);
  return fields[5].whole;  // version, serial, algorithm, issuer, validity, subject
}

// Who signs: `pem` and its key, or another key under its name.
export const signer = (pem, key) => ({ name: subjectOf(pem), key });

const hour = 3_600_000;

// A certificate for node:tls, {cert, key}, made by `by` (none: by itself).
export function certificate(by, options = {}) {
  const { key = newKey(), subject = name('lamp'), from = new Date(Date.now() - hour),
    until = new Date(Date.now() + hour), extensions = [usage('clientAuth')], version = 2,
    serial = randomBytes(8).fill(1, 0, 1), algorithm = 'ecdsaWithSha256', behind = [] } = options;
  const issuer = by ?? { name: subject, key };
  const kind = sequence(oid(algorithm));
  const body = sequence(...(version > 0 ? [der(0xa0, der(0x02, [version]))] : []),
    der(0x02, serial), kind, issuer.name, sequence(time(from), time(until)), subject,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(0xa3, sequence(...extensions))] : []));
  const signature = sign(algorithm === 'ecdsaWithSha1' ? 'sha1' : 'sha256', body, issuer.key);
  const bytes = Buffer.concat([sequence(body, kind, der(0x03, [0], signature)), Buffer.from(behind)]);
  return { cert: toPem(bytes), key: key.export({ type: 'pkcs8', format: 'pem' }) };
}

const toPem = (bytes) => '-----BEGIN CERTIFICATE-----\n' +
  `${bytes.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;
