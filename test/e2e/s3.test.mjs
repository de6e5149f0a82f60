// The S3 API with Amazon's own SDK, unchanged, and what no SDK sends.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import * as S3 from "@aws-sdk/client-s3";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { Readable } from "node:stream";
import { api, deploy } from "./lib/deploy.mjs";
import { get, until } from "./lib/http.mjs";
import { startSelvedge } from "./lib/selvedge.mjs";

const PART = 5 * 1024 * 1024;
let selvedge, s3, base, credentials;

const client = (more = {}) => new S3.S3Client({ endpoint: `${base}/s3`, region: "auto", credentials, forcePathStyle: true, maxAttempts: 1, ...more });
const send = (name, input, on = s3) => on.send(new S3[`${name}Command`]({ Bucket: "box", ...input }));
const text = async (answer) => (await answer).Body.transformToString();
const fails = (promise, name, status) => assert.rejects(promise, (e) => (assert.equal(e.name, name), assert.equal(e.$metadata.httpStatusCode, status), true));
const bytes = (n, seed) => Buffer.from(Uint8Array.from({ length: n }, (_, i) => (i * 7 + seed + (i >> 9)) & 255));

before(async () => {
  selvedge = await startSelvedge();
  base = new URL(selvedge.apiUrl).origin;
  const verified = await (await fetch(`${selvedge.apiUrl}/user/tokens/verify`, { headers: { authorization: `Bearer ${selvedge.token}` } })).json();
  credentials = { accessKeyId: verified.result.id, secretAccessKey: createHash("sha256").update(selvedge.token).digest("hex") };
  s3 = client();
  await send("CreateBucket");
});
after(() => selvedge?.stop());

test("buckets", async () => {
  await send("CreateBucket", { Bucket: "second" });
  const { Buckets } = await s3.send(new S3.ListBucketsCommand({}));
  assert.deepEqual(Buckets.map((b) => b.Name), ["box", "second"]);
  assert.ok(Buckets[0].CreationDate instanceof Date);
  await send("HeadBucket", { Bucket: "second" });
  assert.equal((await send("GetBucketLocation")).LocationConstraint, "auto");
  await fails(send("CreateBucket", { Bucket: "second" }), "BucketAlreadyOwnedByYou", 409);
  await send("PutObject", { Bucket: "second", Key: "k", Body: "v" });
  await fails(send("DeleteBucket", { Bucket: "second" }), "BucketNotEmpty", 409);
  await send("DeleteObject", { Bucket: "second", Key: "k" });
  await send("DeleteBucket", { Bucket: "second" });
  await fails(send("ListObjectsV2", { Bucket: "second" }), "NoSuchBucket", 404);
  await fails(send("PutObject", { Bucket: "second", Key: "k", Body: "v" }), "NoSuchBucket", 404);
  await fails(send("CreateBucket", { Bucket: "No" }), "InvalidBucketName", 400);
});

test("an object and all that belongs to it", async () => {
  const Key = "dir/é +&?%<x>.txt";
  const put = await send("PutObject", { Key, Body: "hello", ContentType: "text/plain", CacheControl: "no-store", Metadata: { one: "1", two: "zwei" }, StorageClass: "STANDARD_IA" });
  assert.equal(put.ETag, `"${createHash("md5").update("hello").digest("hex")}"`);
  const found = await send("GetObject", { Key });
  assert.equal(await found.Body.transformToString(), "hello");
  assert.deepEqual([found.ContentType, found.CacheControl, found.Metadata, found.StorageClass, found.ContentLength], ["text/plain", "no-store", { one: "1", two: "zwei" }, "STANDARD_IA", 5]);
  assert.ok(found.ChecksumCRC32);
  const head = await send("HeadObject", { Key });
  assert.deepEqual([head.ContentLength, head.ETag, head.Metadata.one], [5, put.ETag, "1"]);
  await send("DeleteObject", { Key });
  await fails(send("GetObject", { Key }), "NoSuchKey", 404);
  await fails(send("HeadObject", { Key }), "NotFound", 404);
  await send("DeleteObject", { Key });
});

test("conditions and ranges", async () => {
  const { ETag } = await send("PutObject", { Key: "c", Body: "0123456789" });
  const hour = 3600_000, past = new Date(Date.now() - hour), future = new Date(Date.now() + hour);
  const asks = [
    [{ IfMatch: ETag }, 200], [{ IfMatch: '"no"' }, 412], [{ IfNoneMatch: ETag }, 304], [{ IfNoneMatch: '"no"' }, 200],
    [{ IfModifiedSince: past }, 200], [{ IfModifiedSince: future }, 304], [{ IfUnmodifiedSince: past }, 412], [{ IfUnmodifiedSince: future }, 200],
    [{ IfMatch: ETag, IfUnmodifiedSince: past }, 200], [{ IfNoneMatch: '"no"', IfModifiedSince: future }, 200], [{ IfMatch: '"no"', IfNoneMatch: ETag }, 412],
    [{ IfNoneMatch: ETag, IfModifiedSince: past }, 304], [{ IfMatch: ETag, Range: "bytes=2-4" }, 206],
  ];
  for (const [input, status] of asks) {
    const got = await send("GetObject", { Key: "c", ...input }).then(async (a) => (await a.Body.transformToString(), a.$metadata.httpStatusCode), (e) => e.$metadata.httpStatusCode);
    assert.equal(got, status, JSON.stringify(input));
  }
  for (const [Range, body, range] of [["bytes=2-4", "234", "bytes 2-4/10"], ["bytes=7-", "789", "bytes 7-9/10"], ["bytes=-2", "89", "bytes 8-9/10"], ["bytes=5-500", "56789", "bytes 5-9/10"]]) {
    const part = await send("GetObject", { Key: "c", Range });
    assert.deepEqual([await part.Body.transformToString(), part.ContentRange, part.$metadata.httpStatusCode], [body, range, 206]);
  }
  await fails(send("GetObject", { Key: "c", Range: "bytes=10-" }), "InvalidRange", 416);
  await fails(send("PutObject", { Key: "c", Body: "x", IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await fails(send("PutObject", { Key: "c", Body: "x", IfMatch: '"no"' }), "PreconditionFailed", 412);
  await send("PutObject", { Key: "c", Body: "new", IfMatch: ETag });
  assert.equal(await text(send("GetObject", { Key: "c" })), "new");
});

test("checksums", async () => {
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
    for (const Body of ["small", bytes(700_000, 3)]) {
      await send("PutObject", { Key: "sum", Body, ChecksumAlgorithm });
      const got = await send("GetObject", { Key: "sum", ChecksumMode: "ENABLED" });
      assert.ok(got[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
      assert.ok(Buffer.from(await got.Body.transformToByteArray()).equals(Buffer.from(Body)));
    }
  }
  await fails(send("PutObject", { Key: "sum", Body: "x", ContentMD5: createHash("md5").update("y").digest("base64") }), "BadDigest", 400);
  await fails(send("PutObject", { Key: "sum", Body: "x", ChecksumCRC32: "AAAAAA==" }), "BadDigest", 400);
  await fails(send("PutObject", { Key: "sum", Body: "x", ContentMD5: "zz" }), "InvalidDigest", 400);
});

test("a stream goes in chunks with a trailer", async () => {
  const body = bytes(900_000, 9);
  const parts = [body.subarray(0, 100), body.subarray(100, 500_000), body.subarray(500_000)];
  await send("PutObject", { Key: "streamed", Body: Readable.from(parts), ContentLength: body.length });
  const got = await send("GetObject", { Key: "streamed" });
  assert.ok(Buffer.from(await got.Body.transformToByteArray()).equals(body));
});

test("listings", async () => {
  await send("CreateBucket", { Bucket: "lists" });
  const on = { Bucket: "lists" };
  for (const Key of ["a/1", "a/2", "b", "c/x/1", "c/y", "d e", "é"]) await send("PutObject", { ...on, Key, Body: Key });
  const all = await send("ListObjectsV2", on);
  assert.deepEqual(all.Contents.map((o) => o.Key), ["a/1", "a/2", "b", "c/x/1", "c/y", "d e", "é"]);
  assert.deepEqual([all.KeyCount, all.IsTruncated, all.Contents[0].Size], [7, false, 3]);
  const grouped = await send("ListObjectsV2", { ...on, Delimiter: "/" });
  assert.deepEqual([grouped.CommonPrefixes.map((p) => p.Prefix), grouped.Contents.map((o) => o.Key)], [["a/", "c/"], ["b", "d e", "é"]]);
  const below = await send("ListObjectsV2", { ...on, Delimiter: "/", Prefix: "c/", EncodingType: "url" });
  assert.deepEqual([below.CommonPrefixes[0].Prefix, below.Contents[0].Key], ["c/x/", "c/y"]);
  assert.deepEqual((await send("ListObjectsV2", { ...on, StartAfter: "c/x/1" })).Contents.map((o) => o.Key), ["c/y", "d e", "é"]);
  const seen = [];
  for await (const page of S3.paginateListObjectsV2({ client: s3, pageSize: 2 }, { ...on, Delimiter: "/" })) seen.push(...(page.CommonPrefixes ?? []).map((p) => p.Prefix), ...(page.Contents ?? []).map((o) => o.Key));
  assert.deepEqual(seen.sort(), ["a/", "b", "c/", "d e", "é"].sort());
  const old = [];
  for (let Marker = ""; Marker !== undefined;) {
    const page = await send("ListObjects", { ...on, Delimiter: "/", MaxKeys: 1, Marker });
    old.push(...(page.CommonPrefixes ?? []).map((p) => p.Prefix), ...(page.Contents ?? []).map((o) => o.Key));
    Marker = page.IsTruncated ? page.NextMarker : undefined;
  }
  assert.deepEqual(old, ["a/", "b", "c/", "d e", "é"]);
  assert.equal((await send("ListObjectsV2", { ...on, MaxKeys: 0 })).KeyCount, 0);
  const gone = await send("DeleteObjects", { ...on, Delete: { Objects: ["a/1", "a/2", "b", "c/x/1", "c/y", "d e", "é", "never & <>"].map((Key) => ({ Key })) } });
  assert.equal(gone.Deleted.length, 8);
  assert.equal((await send("ListObjectsV2", on)).KeyCount, 0);
});

test("copies", async () => {
  await send("CreateBucket", { Bucket: "other" });
  const body = bytes(300_000, 5);
  await send("PutObject", { Key: "from here", Body: body, ContentType: "a/b", Metadata: { m: "1" } });
  await send("CopyObject", { Bucket: "other", Key: "to", CopySource: "box/from%20here" });
  await send("DeleteObject", { Key: "from here" });
  const copied = await send("GetObject", { Bucket: "other", Key: "to" });
  assert.ok(Buffer.from(await copied.Body.transformToByteArray()).equals(body));
  assert.deepEqual([copied.ContentType, copied.Metadata], ["a/b", { m: "1" }]);
  await send("CopyObject", { Bucket: "other", Key: "to", CopySource: "other/to", MetadataDirective: "REPLACE", Metadata: { m: "2" } });
  const again = await send("HeadObject", { Bucket: "other", Key: "to" });
  assert.deepEqual([again.Metadata, again.ContentLength], [{ m: "2" }, body.length]);
  await fails(send("CopyObject", { Key: "x", CopySource: "other/none" }), "NoSuchKey", 404);
  await fails(send("CopyObject", { Key: "x", CopySource: "other/to", CopySourceIfMatch: '"no"' }), "PreconditionFailed", 412);
});

test("multipart uploads", async () => {
  const body = bytes(2 * PART + 1000, 1), Key = "large";
  const { UploadId } = await send("CreateMultipartUpload", { Key, ContentType: "x/y" });
  const Parts = [];
  for (let n = 1; n <= 3; n++) {
    const part = await send("UploadPart", { Key, UploadId, PartNumber: n, Body: body.subarray((n - 1) * PART, n * PART) });
    Parts.push({ PartNumber: n, ETag: part.ETag });
  }
  assert.deepEqual((await send("ListParts", { Key, UploadId })).Parts.map((p) => [p.PartNumber, p.Size]), [[1, PART], [2, PART], [3, 1000]]);
  assert.deepEqual((await send("ListMultipartUploads", {})).Uploads.map((u) => [u.Key, u.UploadId]), [[Key, UploadId]]);
  await fails(send("GetObject", { Key }), "NoSuchKey", 404);
  await fails(send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: [Parts[1], Parts[0]] } }), "InvalidPartOrder", 400);
  await fails(send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: '"no"' }] } }), "InvalidPart", 400);
  await fails(send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: [Parts[2], { ...Parts[0], PartNumber: 4 }] } }), "InvalidPart", 400);
  const done = await send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts } });
  const sums = Parts.map((_, i) => createHash("md5").update(body.subarray(i * PART, (i + 1) * PART)).digest());
  assert.equal(done.ETag, `"${createHash("md5").update(Buffer.concat(sums)).digest("hex")}-3"`);
  const whole = await send("GetObject", { Key });
  assert.ok(Buffer.from(await whole.Body.transformToByteArray()).equals(body));
  const across = await send("GetObject", { Key, Range: `bytes=${PART - 10}-${2 * PART + 9}` });
  assert.ok(Buffer.from(await across.Body.transformToByteArray()).equals(body.subarray(PART - 10, 2 * PART + 10)));
  const again = await send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts } }); // the client did not hear the answer
  assert.match(again.ETag, /-\d+"$/);
  await fails(send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: Parts.slice(1) } }), "NoSuchUpload", 404);

  const second = await send("CreateMultipartUpload", { Key: "from parts" });
  const from = { Key: "from parts", UploadId: second.UploadId, CopySource: `box/${Key}` };
  const one = await send("UploadPartCopy", { ...from, PartNumber: 1, CopySourceRange: `bytes=100-${PART + 99}` });
  const two = await send("UploadPartCopy", { ...from, PartNumber: 2, CopySourceRange: "bytes=0-9" });
  await send("CompleteMultipartUpload", { Key: "from parts", UploadId: second.UploadId, MultipartUpload: { Parts: [one, two].map((p, i) => ({ PartNumber: i + 1, ETag: p.CopyPartResult.ETag })) } });
  const joined = Buffer.from(await (await send("GetObject", { Key: "from parts" })).Body.transformToByteArray());
  assert.ok(joined.equals(Buffer.concat([body.subarray(100, PART + 100), body.subarray(0, 10)])));

  const third = await send("CreateMultipartUpload", { Key: "dropped" });
  await send("AbortMultipartUpload", { Key: "dropped", UploadId: third.UploadId });
  await fails(send("UploadPart", { Key: "dropped", UploadId: third.UploadId, PartNumber: 1, Body: "x" }), "NoSuchUpload", 404);
  const managed = new Upload({ client: s3, params: { Bucket: "box", Key: "managed", Body: Readable.from([body]) }, partSize: PART });
  await managed.done();
  assert.equal((await send("HeadObject", { Key: "managed" })).ContentLength, body.length);
});

test("encryption with a customer's key", async () => {
  const key = (fill) => ({ SSECustomerAlgorithm: "AES256", SSECustomerKey: fill.repeat(32) });
  for (const size of [0, 100, 17 * 1024, 300_000]) {
    const Key = `sealed-${size}`, body = bytes(size, 3);
    const put = await send("PutObject", { Key, Body: body, ...key("a") });
    assert.equal(put.SSECustomerAlgorithm, "AES256");
    const whole = await send("GetObject", { Key, ...key("a") });
    assert.ok(Buffer.from(await whole.Body.transformToByteArray()).equals(body), `${size}`);
    await fails(send("GetObject", { Key }), "InvalidRequest", 400);
    await fails(send("GetObject", { Key, ...key("b") }), "InvalidRequest", 400);
    await assert.rejects(send("HeadObject", { Key }), (e) => e.$metadata.httpStatusCode === 400);
    if (size < 100) continue;
    const part = await send("GetObject", { Key, Range: "bytes=19-83", ...key("a") });
    assert.ok(Buffer.from(await part.Body.transformToByteArray()).equals(body.subarray(19, 84)));
    const source = { CopySource: `box/${Key}`, CopySourceSSECustomerAlgorithm: "AES256", CopySourceSSECustomerKey: "a".repeat(32) };
    await send("CopyObject", { Key: `${Key}-b`, ...source, ...key("b") });
    await send("CopyObject", { Key: `${Key}-plain`, ...source });
    assert.ok(Buffer.from(await (await send("GetObject", { Key: `${Key}-b`, ...key("b") })).Body.transformToByteArray()).equals(body));
    assert.ok(Buffer.from(await (await send("GetObject", { Key: `${Key}-plain` })).Body.transformToByteArray()).equals(body));
  }
  const Key = "sealed-parts", body = bytes(PART + 1000, 5);
  const { UploadId } = await send("CreateMultipartUpload", { Key, ...key("a") });
  await fails(send("UploadPart", { Key, UploadId, PartNumber: 1, Body: body.subarray(0, PART) }), "InvalidRequest", 400);
  const parts = [];
  for (const [i, piece] of [body.subarray(0, PART), body.subarray(PART)].entries())
    parts.push({ PartNumber: i + 1, ETag: (await send("UploadPart", { Key, UploadId, PartNumber: i + 1, Body: piece, ...key("a") })).ETag });
  await send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: parts }, ...key("a") });
  const across = await send("GetObject", { Key, Range: `bytes=${PART - 10}-${PART + 9}`, ...key("a") });
  assert.ok(Buffer.from(await across.Body.transformToByteArray()).equals(body.subarray(PART - 10, PART + 10)));
});

test("checksums of uploads in parts", async () => {
  for (const [ChecksumAlgorithm, ChecksumType] of [["SHA256", "COMPOSITE"], ["CRC32", "FULL_OBJECT"], ["CRC32C", "COMPOSITE"]]) {
    const Key = `sums-${ChecksumAlgorithm}`, member = `Checksum${ChecksumAlgorithm}`, body = bytes(PART + 77, 9);
    const { UploadId } = await send("CreateMultipartUpload", { Key, ChecksumAlgorithm, ChecksumType });
    const parts = [];
    for (const [i, piece] of [body.subarray(0, PART), body.subarray(PART)].entries()) {
      const part = await send("UploadPart", { Key, UploadId, PartNumber: i + 1, Body: piece, ChecksumAlgorithm });
      parts.push({ PartNumber: i + 1, ETag: part.ETag, [member]: part[member] });
    }
    await fails(send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: parts.map((p) => ({ ...p, [member]: parts[0][member] })) } }), "InvalidPart", 400);
    const done = await send("CompleteMultipartUpload", { Key, UploadId, MultipartUpload: { Parts: parts } });
    const head = await send("HeadObject", { Key, ChecksumMode: "ENABLED" });
    assert.equal(head[member], done[member]);
    assert.equal(head.ChecksumType, ChecksumType);
    if (ChecksumType === "FULL_OBJECT") {
      const same = await send("PutObject", { Key: `${Key}-one`, Body: body, ChecksumAlgorithm });
      assert.equal(done[member], same[member]);
    } else assert.match(done[member], /-2$/);
    const second = await send("GetObject", { Key, PartNumber: 2 });
    assert.deepEqual([second.PartsCount, second.ContentLength], [2, 77]);
    await fails(send("GetObject", { Key, PartNumber: 3 }), "InvalidPart", 400);
  }
});

test("cross-origin rules", async () => {
  await fails(send("GetBucketCors"), "NoSuchCORSConfiguration", 404);
  const rules = [{ ID: "one", AllowedMethods: ["GET", "PUT"], AllowedOrigins: ["https://*.example.com"], AllowedHeaders: ["x-amz-*"], ExposeHeaders: ["ETag"], MaxAgeSeconds: 60 }];
  await send("PutBucketCors", { CORSConfiguration: { CORSRules: rules } });
  assert.deepEqual((await send("GetBucketCors")).CORSRules, rules);
  const url = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: "box", Key: "cors" }));
  await send("PutObject", { Key: "cors", Body: "x" });
  const ask = (headers) => fetch(url, { method: "OPTIONS", headers });
  const origin = "https://a.example.com";
  const yes = await ask({ origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-amz-acl" });
  assert.deepEqual([yes.status, yes.headers.get("access-control-allow-origin"), yes.headers.get("access-control-max-age"), yes.headers.get("access-control-allow-headers")], [200, origin, "60", "x-amz-acl"]);
  assert.equal((await ask({ origin, "access-control-request-method": "DELETE" })).status, 403);
  assert.equal((await ask({ origin, "access-control-request-method": "GET", "access-control-request-headers": "other" })).status, 403);
  assert.equal((await ask({ origin: "https://example.org", "access-control-request-method": "GET" })).status, 403);
  assert.equal((await ask({})).status, 400);
  const got = await fetch(url, { headers: { origin } });
  assert.deepEqual([got.status, got.headers.get("access-control-allow-origin"), got.headers.get("access-control-expose-headers")], [200, origin, "ETag"]);
  await fails(send("DeleteBucketEncryption"), "NotImplemented", 501); // and not the deletion of the bucket
  await fails(send("PutBucketEncryption", { ServerSideEncryptionConfiguration: { Rules: [] } }), "NotImplemented", 501);
  await send("HeadBucket");
  await send("DeleteBucketCors");
  assert.equal((await fetch(url, { headers: { origin } })).headers.get("access-control-allow-origin"), null);
});

test("lifecycle", async () => {
  await send("CreateBucket", { Bucket: "cycle" });
  const rules = [
    { ID: "gone", Filter: { Prefix: "tmp/" }, Status: "Enabled", Expiration: { Date: new Date("2020-01-01T00:00:00Z") } },
    { ID: "cold", Filter: { Prefix: "cold/" }, Status: "Enabled", Transitions: [{ Date: new Date("2020-01-01T00:00:00Z"), StorageClass: "STANDARD_IA" }] },
    { ID: "later", Filter: { Prefix: "" }, Status: "Enabled", Expiration: { Days: 3 } },
    { ID: "off", Filter: { Prefix: "keep/" }, Status: "Disabled", Expiration: { Date: new Date("2020-01-01T00:00:00Z") } },
  ];
  const put = (Rules) => send("PutBucketLifecycleConfiguration", { Bucket: "cycle", LifecycleConfiguration: { Rules } });
  for (const Key of ["tmp/small", "keep/small", "cold/small"]) await send("PutObject", { Bucket: "cycle", Key, Body: "x" });
  await send("PutObject", { Bucket: "cycle", Key: "tmp/large", Body: bytes(100_000, 1) });
  await put(rules);
  assert.deepEqual((await send("GetBucketLifecycleConfiguration", { Bucket: "cycle" })).Rules.map((r) => [r.ID, r.Status]), rules.map((r) => [r.ID, r.Status]));
  await until("deleted", 20_000, async () => (await send("ListObjectsV2", { Bucket: "cycle" })).Contents.map((o) => o.Key).join() === "cold/small,keep/small");
  await until("moved", 20_000, async () => (await send("HeadObject", { Bucket: "cycle", Key: "cold/small" })).StorageClass === "STANDARD_IA");
  await fails(put([rules[2], rules[2]]), "InvalidArgument", 400);
  await fails(put([{ ...rules[2], Expiration: { Days: 0 } }]), "InvalidArgument", 400);
  await send("DeleteBucketLifecycle", { Bucket: "cycle" });
  await fails(send("GetBucketLifecycleConfiguration", { Bucket: "cycle" }), "NoSuchLifecycleConfiguration", 404);
});

test("versions, of which every object has one", async () => {
  await send("CreateBucket", { Bucket: "versions" });
  for (const Key of ["a", "b/1", "b/2", "c d"]) await send("PutObject", { Bucket: "versions", Key, Body: Key });
  const all = await send("ListObjectVersions", { Bucket: "versions", Delimiter: "/" });
  assert.deepEqual([all.Versions.map((v) => [v.Key, v.VersionId, v.IsLatest]), all.CommonPrefixes], [[["a", "null", true], ["c d", "null", true]], [{ Prefix: "b/" }]]);
  const first = await send("ListObjectVersions", { Bucket: "versions", MaxKeys: 3, EncodingType: "url" });
  assert.deepEqual([first.IsTruncated, first.NextKeyMarker, first.NextVersionIdMarker], [true, "b/2", "null"]);
  const rest = await send("ListObjectVersions", { Bucket: "versions", KeyMarker: first.NextKeyMarker, VersionIdMarker: "null" });
  assert.deepEqual(rest.Versions.map((v) => v.Key), ["c d"]);
  await send("DeleteObjects", { Bucket: "versions", Delete: { Objects: all.Versions.map(({ Key, VersionId }) => ({ Key, VersionId })), Quiet: true } });
  assert.equal((await send("ListObjectsV2", { Bucket: "versions" })).KeyCount, 2);
});

test("what clients do wrong is named", async () => {
  const day = new Date().toISOString().replace(/[-:]|\.\d+/g, ""), scope = `${credentials.accessKeyId}/${day.slice(0, 8)}/auto/s3/aws4_request`;
  const ask = async (path, headers = {}, method = "GET") => {
    const answer = await fetch(`${base}/s3/box/${path}`, { method, headers });
    return [answer.status, (await answer.text()).replaceAll("&apos;", "'")];
  };
  const auth = (credential) => ({ "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": day, authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0` });
  const cases = [
    [["c", { authorization: "Basic eDp5" }], 400, "Please use AWS4-HMAC-SHA256"],
    [["c", { authorization: "AWS4-HMAC-SHA256 x" }], 400, "Missing x-amz-content-sha256"],
    [["c", { ...auth(scope), "x-amz-date": "" }], 400, "No date provided in x-amz-date nor date header"],
    [["c", { ...auth(scope), "x-amz-date": "today" }], 400, "Date provided in 'x-amz-date' header (today) didn't parse successfully"],
    [["c", auth("a/b")], 400, "should have at least 5 slash-separated parts, not 2"],
    [["c", auth(scope.replace("/s3/", "/sqs/"))], 400, "Credential service should be s3, not sqs"],
    [["c", auth(scope.replace("aws4_request", "x"))], 400, "Credential termination string should be aws4_request, not x"],
    [["c", auth(scope.replace(day.slice(0, 8), "19990101"))], 400, "Credential signed date 19990101 does not match"],
    [["c", auth(scope)], 403, "<CanonicalRequest>GET"],
    [["c?X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host"], 400, "Required search parameters X-Amz-Algorithm,  X-Amz-Signature missing"],
    [[`c?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&X-Amz-Credential=${scope}&X-Amz-Date=${day}&X-Amz-Expires=&X-Amz-SignedHeaders=host`], 400, "X-Amz-Expires should be a number"],
  ];
  for (const [args, status, words] of cases) {
    const [got, body] = await ask(...args);
    assert.ok(got === status && body.includes(words), `${JSON.stringify(args)}: ${got} ${body}`);
  }
  await send("PutObject", { Key: "ten", Body: "0123456789" });
  await fails(send("GetObject", { Key: "ten", Range: "bytes=zzz" }), "InvalidArgument", 400);
  await fails(send("GetObject", { Key: "ten", Range: "bytes=5-2" }), "InvalidArgument", 400);
  await fails(send("GetObject", { Key: "ten", Range: "bytes=-0" }), "InvalidRange", 416);
  assert.deepEqual((({ ContentRange, ContentLength }) => [ContentRange, ContentLength])(await send("HeadObject", { Key: "ten", Range: "bytes=0-4" })), ["bytes 0-4/10", 5]);
  await fails(send("PutObject", { Key: "ten", Body: "x", StorageClass: "GLACIER" }), "InvalidStorageClass", 400);
  await fails(send("PutObject", { Key: "ten", Body: "x", Tagging: "a=b" }), "NotImplemented", 501);
  await fails(send("PutObject", { Key: "ten", Body: "x", SSECustomerAlgorithm: "AES256" }), "InvalidRequest", 400);
  await assert.rejects(send("GetBucketPolicy"), { name: "NotImplemented", message: "GetBucketPolicy not implemented" });
  await assert.rejects(send("GetObjectTagging", { Key: "ten" }), { name: "NotImplemented", message: "GetObjectTagging not implemented" });
  assert.equal((await send("GetBucketVersioning")).Status, undefined);
  await fails(send("GetBucketTagging"), "NoSuchTagSet", 404);
});

test("encryption that contradicts itself or is not R2's", async () => {
  const key = Buffer.alloc(32, 7), customer = { SSECustomerAlgorithm: "AES256", SSECustomerKey: key, SSECustomerKeyMD5: createHash("md5").update(key).digest("base64") };
  const put = (more) => send("PutObject", { Key: "sse", Body: "x", ...more });
  await put({ ServerSideEncryption: "AES256" });
  await fails(put({ ServerSideEncryption: "AES256", ...customer }), "InvalidArgument", 400);
  await fails(put({ ServerSideEncryption: "other" }), "InvalidArgument", 400);
  await fails(put({ ServerSideEncryption: "AES256", SSEKMSKeyId: "k" }), "InvalidArgument", 400);
  await fails(put({ ServerSideEncryption: "aws:kms" }), "NotImplemented", 501);
});

test("presigned addresses", async () => {
  const url = await getSignedUrl(s3, new S3.PutObjectCommand({ Bucket: "box", Key: "pre signed" }), { expiresIn: 60 });
  assert.equal((await fetch(url, { method: "PUT", body: "by address" })).status, 200);
  const read = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: "box", Key: "pre signed", ResponseContentType: "text/html" }), { expiresIn: 60 });
  const answer = await fetch(read);
  assert.deepEqual([await answer.text(), answer.headers.get("content-type")], ["by address", "text/html"]);
  assert.equal((await fetch(read.replace("pre%20signed", "other"))).status, 403);
  const late = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: "box", Key: "c" }), { expiresIn: 1, signingDate: new Date(Date.now() - 60_000) });
  assert.match(await (await fetch(late)).text(), /<Code>ExpiredRequest<\/Code>/);
});

test("who may what", async () => {
  const with_ = (more) => client({ credentials: { ...credentials, ...more } });
  await fails(send("GetObject", { Key: "c" }, with_({ secretAccessKey: "wrong" })), "SignatureDoesNotMatch", 403);
  await fails(send("GetObject", { Key: "c" }, with_({ accessKeyId: "0".repeat(32) })), "InvalidAccessKeyId", 403);
  assert.match(await (await fetch(`${base}/s3/box/c`)).text(), /<Code>AccessDenied<\/Code>/);
  const groups = await api(selvedge, "GET", "/tokens/permission_groups");
  const read = groups.find((g) => g.name === "Workers R2 Storage Read");
  const made = await api(selvedge, "POST", "/tokens", { name: "reader", policies: [{ effect: "allow", permission_groups: [{ id: read.id }], resources: { [`com.cloudflare.api.account.${selvedge.account}`]: "*" } }] });
  const reader = with_({ accessKeyId: made.id, secretAccessKey: createHash("sha256").update(made.value).digest("hex") });
  assert.equal((await send("HeadObject", { Key: "c" }, reader)).ContentLength, 3);
  await fails(send("PutObject", { Key: "c", Body: "x" }, reader), "AccessDenied", 403);
  await fails(s3.send(new S3.GetBucketAclCommand({ Bucket: "box" })), "NotImplemented", 501);
});

test("temporary credentials", async () => {
  const lend = async (more) => {
    const { sessionToken, ...keys } = await api(selvedge, "POST", "/r2/temp-access-credentials", { bucket: "box", parentAccessKeyId: credentials.accessKeyId, permission: "object-read-write", ttlSeconds: 60, ...more });
    return client({ credentials: { ...keys, sessionToken } });
  };
  const some = await lend({ prefixes: ["mine/"], objects: ["one"] });
  await send("PutObject", { Key: "mine/a", Body: "a" }, some);
  await send("PutObject", { Key: "one", Body: "b" }, some);
  assert.equal((await send("ListObjectsV2", { Prefix: "mine/" }, some)).KeyCount, 1);
  const denied = [["PutObject", { Key: "two", Body: "x" }], ["GetObject", { Key: "c" }], ["ListObjectsV2", {}], ["CopyObject", { Key: "one", CopySource: "box/c" }], ["DeleteObjects", { Delete: { Objects: [{ Key: "mine/a" }, { Key: "c" }] } }], ["PutObject", { Bucket: "other", Key: "mine/a", Body: "x" }], ["DeleteBucket", {}]];
  for (const [name, input] of denied) await fails(send(name, input, some), "AccessDenied", 403);
  const reader = await lend({ permission: "object-read-only" });
  assert.equal(await text(send("GetObject", { Key: "one" }, reader)), "b");
  await fails(send("PutObject", { Key: "one", Body: "x" }, reader), "AccessDenied", 403);
  const bent = client({ credentials: { ...(await reader.config.credentials()), sessionToken: "a.b.c" } });
  await fails(send("GetObject", { Key: "one" }, bent), "AccessDenied", 403);
});

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();

// A request signed by hand, for what the SDK does not do. body(sign) makes the bytes, given the seed of chunks' signatures.
function signed({ method = "PUT", host, path, payload, headers = {}, body }) {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, ""), day = date.slice(0, 8), scope = `${day}/auto/s3/aws4_request`;
  const all = { host, "x-amz-content-sha256": payload, "x-amz-date": date, ...headers };
  const names = Object.keys(all).sort();
  const canonical = [method, path, "", ...names.map((n) => `${n}:${all[n]}`), "", names.join(";"), payload].join("\n");
  const key = ["auto", "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${credentials.secretAccessKey}`, day));
  let last = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${last}`;
  const chunk = (data) => {
    last = hmac(key, `AWS4-HMAC-SHA256-PAYLOAD\n${date}\n${scope}\n${last}\n${sha256("")}\n${sha256(data)}`).toString("hex");
    return Buffer.concat([Buffer.from(`${data.length.toString(16)};chunk-signature=${last}\r\n`), Buffer.from(data), Buffer.from(data.length ? "\r\n" : "")]);
  };
  const trailer = (line) => `${line}\r\nx-amz-trailer-signature:${hmac(key, `AWS4-HMAC-SHA256-TRAILER\n${date}\n${scope}\n${last}\n${sha256(`${line}\n`)}`).toString("hex")}\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const to = new URL(base);
    const req = request({ host: to.hostname, port: to.port, method, path, headers: { ...all, authorization } }, (res) => {
      const parts = [];
      res.on("data", (part) => parts.push(part));
      res.on("end", () => resolve({ status: res.statusCode, text: Buffer.concat(parts).toString() }));
    });
    req.on("error", reject);
    req.end(body?.(chunk, trailer));
  });
}

test("chunks that are signed", async () => {
  const host = new URL(base).host, path = "/s3/box/chunked", payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  for (const size of [1000, 400_000]) {
    const data = bytes(size, 2), headers = { "x-amz-decoded-content-length": `${size}`, "content-encoding": "aws-chunked" };
    const whole = (chunk) => Buffer.concat([chunk(data.subarray(0, 700)), chunk(data.subarray(700)), chunk(Buffer.alloc(0)), Buffer.from("\r\n")]);
    assert.equal((await signed({ host, path, payload, headers, body: whole })).status, 200);
    const got = await send("GetObject", { Key: "chunked" });
    assert.ok(Buffer.from(await got.Body.transformToByteArray()).equals(data));
    assert.equal(got.ContentEncoding, undefined);
    const bent = (chunk) => { const all = whole(chunk); all[all.indexOf("\r\n") + 5] ^= 1; return all; };
    assert.match((await signed({ host, path, payload, headers, body: bent })).text, /SignatureDoesNotMatch/);
    assert.match((await signed({ host, path, payload, headers, body: (chunk) => chunk(data.subarray(0, 900)) })).text, /IncompleteBody/);
    const sum = createHash("sha256").update(data).digest("base64");
    const trailed = (value) => (chunk, trailer) => Buffer.concat([chunk(data), chunk(Buffer.alloc(0)), Buffer.from(trailer(`x-amz-checksum-sha256:${value}`))]);
    const more = { ...headers, "x-amz-trailer": "x-amz-checksum-sha256" };
    assert.equal((await signed({ host, path, payload: `${payload}-TRAILER`, headers: more, body: trailed(sum) })).status, 200);
    assert.match((await signed({ host, path, payload: `${payload}-TRAILER`, headers: more, body: trailed(sha256("").slice(0, 44)) })).text, /InvalidDigest|BadDigest/);
  }
  assert.match((await signed({ host, path, payload: sha256("a"), body: () => "b" })).text, /XAmzContentSHA256Mismatch/);
});

test("by host name, with the bucket in it and not", async () => {
  const own = `${selvedge.account}.r2.localhost:${new URL(base).port}`;
  await signed({ host: own, path: "/box/by-host", payload: sha256("1"), body: () => "1" });
  const found = await signed({ method: "GET", host: `box.${own}`, path: "/by-host", payload: sha256("") });
  assert.deepEqual([found.status, found.text], [200, "1"]);
  assert.match((await signed({ method: "GET", host: own, path: "/client/v4/user", payload: sha256("") })).text, /<Code>NoSuchBucket</);
  assert.match((await signed({ method: "POST", host: own, path: "/box?delete", payload: sha256("<Delete>"), body: () => "<Delete>" })).text, /SignatureDoesNotMatch/);
});

test("documents that are none", async () => {
  for (const body of ["", "<Delete>", "<Delete></Delete>", "<!DOCTYPE x><Delete/>", "<Other><Object><Key>c</Key></Object></Other>", "<Delete><Object><Key>&big;</Key></Object></Delete>"]) {
    const url = await getSignedUrl(s3, new S3.DeleteObjectsCommand({ Bucket: "box", Delete: { Objects: [{ Key: "c" }] } }), { unhoistableHeaders: new Set(), unsignableHeaders: new Set(["content-md5", "content-type", "x-amz-checksum-crc32", "content-length"]) });
    const answer = await (await fetch(url, { method: "POST", body })).text();
    assert.match(answer, /<Code>(MalformedXML|BadDigest)</, body);
  }
});

/* Clients that a machine may have; `tools/setup` names their packages. */
const run = async (program, args, env = {}) => (await promisify(execFile)(program, args, { timeout: 60_000, env: { ...process.env, ...env } })).stdout;

test("rclone", { skip: !existsSync("/usr/bin/rclone") }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "selvedge-rclone-"));
  const env = { HOME: dir, AWS_CA_BUNDLE: undefined, RCLONE_CONFIG_R_TYPE: "s3", RCLONE_CONFIG_R_PROVIDER: "Other", RCLONE_CONFIG_R_ENDPOINT: `${base}/s3`, RCLONE_CONFIG_R_ACCESS_KEY_ID: credentials.accessKeyId, RCLONE_CONFIG_R_SECRET_ACCESS_KEY: credentials.secretAccessKey, RCLONE_CONFIG_R_REGION: "auto" };
  const large = bytes(2 * PART + 77, 6);
  writeFileSync(join(dir, "small.txt"), "small");
  writeFileSync(join(dir, "large.bin"), large);
  await run("rclone", ["mkdir", "R:cloned"], env);
  await run("rclone", ["copy", dir, "R:cloned/in", "--exclude", ".*/**", "--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M"], env);
  assert.match(await run("rclone", ["lsf", "R:cloned/in"], env), /large\.bin\nsmall\.txt/);
  await run("rclone", ["check", dir, "R:cloned/in", "--exclude", ".*/**", "--download"], env);
  await run("rclone", ["moveto", "R:cloned/in/small.txt", "R:cloned/moved é.txt"], env);
  assert.equal(await run("rclone", ["cat", "R:cloned/moved é.txt"], env), "small");
  await run("rclone", ["purge", "R:cloned"], env);
  rmSync(dir, { recursive: true });
});

test("s3cmd", { skip: !existsSync("/usr/bin/s3cmd") }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "selvedge-s3cmd-"));
  const { hostname, port } = new URL(base), host = `${selvedge.account}.r2.localhost:${port}`, file = join(dir, "large.bin"), back = join(dir, "back.bin");
  // Names below localhost are not everywhere resolved, so the server stands in for a proxy.
  writeFileSync(join(dir, "cfg"), `[default]\naccess_key = ${credentials.accessKeyId}\nsecret_key = ${credentials.secretAccessKey}\nhost_base = ${host}\nhost_bucket = %(bucket)s.${host}\nproxy_host = ${hostname}\nproxy_port = ${port}\nuse_https = False\nsignature_v2 = False\nbucket_location = auto\n`);
  const s3cmd = (...args) => run("s3cmd", ["-c", join(dir, "cfg"), "--no-progress", ...args]);
  writeFileSync(file, bytes(2 * PART + 77, 8));
  await s3cmd("mb", "s3://cmd");
  await s3cmd("put", file, "s3://cmd/a b/large.bin", "--multipart-chunk-size-mb=5");
  assert.match(await s3cmd("ls", "-r", "s3://cmd"), /a b\/large\.bin/);
  await s3cmd("cp", "s3://cmd/a b/large.bin", "s3://cmd/copy");
  await s3cmd("get", "s3://cmd/copy", back);
  assert.ok(readFileSync(back).equals(readFileSync(file)));
  await s3cmd("rb", "-r", "--force", "s3://cmd");
  rmSync(dir, { recursive: true });
});

test("the same objects through a Worker", async () => {
  await deploy(selvedge, "reader", "export default { async fetch(r, env) { const o = await env.B.get(new URL(r.url).pathname.slice(1)); return new Response(o === null ? 'none' : o.body, { headers: { etag: o?.httpEtag ?? '' } }); } }", { bindings: [{ name: "B", type: "r2_bucket", bucket_name: "box" }] });
  await send("PutObject", { Key: "shared", Body: "seen by all" });
  const seen = await until("the Worker answers", 10_000, async () => { const a = await get(selvedge, "reader", "/shared"); return a.status === 200 && a; });
  assert.equal(seen.text, "seen by all");
  const large = await get(selvedge, "reader", "/large");
  assert.ok(large.body.equals(bytes(2 * PART + 1000, 1)));
});
