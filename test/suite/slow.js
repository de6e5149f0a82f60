// What takes long leaves the VM's thread: timers go on running meanwhile.
import assert from 'node:assert';
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const TICKS_MIN = 3;
const { subtle } = crypto.webcrypto;

// The result of run(), after a check that timers ran until it was there.
async function beside(run) {
    let ticks = 0, over = false;
    const ticking = (async () => {
        while (!over) {
            await scheduler.wait(1);
            ticks++;
        }
    })();
    const result = await run();
    over = true;
    await ticking;
    assert.ok(ticks >= TICKS_MIN, `${ticks} ticks`);
    return result;
}

export const pbkdf2 = {
    async test() {
        const key = await beside(() => promisify(crypto.pbkdf2)('x', 'y', 400_000, 32, 'sha256'));
        assert.equal(key.toString('hex'), crypto.pbkdf2Sync('x', 'y', 400_000, 32, 'sha256').toString('hex'));
        const material = await subtle.importKey('raw', Buffer.from('x'), 'PBKDF2', false, ['deriveBits']);
        const bits = await subtle.deriveBits({ name: 'PBKDF2', salt: Buffer.from('y'), iterations: 100_000, hash: 'SHA-512' }, material, 512);
        assert.deepEqual(Buffer.from(bits), crypto.pbkdf2Sync('x', 'y', 100_000, 64, 'sha512'));
    },
};

export const scryptKeepsTheAsyncContext = {
    async test() {
        const store = new AsyncLocalStorage();
        await store.run(7, async () => {
            const key = await promisify(crypto.scrypt)('a', 'b', 32);
            assert.deepEqual(key, crypto.scryptSync('a', 'b', 32));
            assert.equal(store.getStore(), 7);
            await new Promise((resolve) => crypto.scrypt('a', 'b', 32, () => resolve(assert.equal(store.getStore(), 7))));
        });
    },
};

export const rsaKeys = {
    async test() {
        const algorithm = { name: 'RSA-PSS', modulusLength: 4096, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256', saltLength: 32 };
        const pair = await beside(() => subtle.generateKey(algorithm, true, ['sign', 'verify']));
        const signature = await subtle.sign(algorithm, pair.privateKey, new Uint8Array(5));
        assert.ok(await subtle.verify(algorithm, pair.publicKey, signature, new Uint8Array(5)));
        const { publicKey } = await promisify(crypto.generateKeyPair)('rsa', { modulusLength: 1024 });
        assert.equal(publicKey.asymmetricKeyDetails.modulusLength, 1024);
    },
};

export const compression = {
    async test() {
        const text = Buffer.from(Array.from({ length: 150_000 }, (_, i) => `${i * 7919 % 104729} `).join(''));
        const packed = await beside(() => promisify(zlib.gzip)(text));
        assert.deepEqual(packed, zlib.gzipSync(text));
        assert.ok((await promisify(zlib.gunzip)(packed)).equals(text));
        for (const [pack, unpack] of [['brotliCompress', 'brotliDecompress'], ['zstdCompress', 'zstdDecompress']]) {
            const part = text.subarray(0, 60_000), small = await promisify(zlib[pack])(part);
            assert.ok((await promisify(zlib[unpack])(small)).equals(part));
        }
        packed.fill(0, 100, 2000);
        await assert.rejects(promisify(zlib.gunzip)(packed), { code: 'Z_DATA_ERROR' });
        await assert.rejects(promisify(zlib.gunzip)(zlib.gzipSync(text), { maxOutputLength: 1000 }), RangeError);
    },
};

export const primes = {
    async test() {
        const prime = await promisify(crypto.generatePrime)(512);
        assert.equal(prime.byteLength, 64);
        assert.equal(await promisify(crypto.checkPrime)(prime), true);
        assert.equal(await promisify(crypto.checkPrime)(15n), false);
    },
};

export const failuresReachTheCallback = {
    async test() {
        await assert.rejects(promisify(crypto.pbkdf2)('x', 'y', 1, 8, 'none'), { code: 'ERR_CRYPTO_INVALID_DIGEST' });
        await assert.rejects(promisify(crypto.scrypt)('x', 'y', 8, { N: 3 }), { code: 'ERR_CRYPTO_INVALID_SCRYPT_PARAMS' });
        await assert.rejects(promisify(crypto.generateKeyPair)('ec', { namedCurve: 'none' }), { code: 'ERR_CRYPTO_INVALID_CURVE' });
    },
};
