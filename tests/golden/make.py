#!/usr/bin/env python3
"""Writes the golden files beside this script, from deploy/doc/wire.md alone.

A second implementation of the tables, with nothing but the standard library, so that the C++ code
and the document cannot agree on a mistake. The values are those of
tests/unit/transport_wire/samples.h.
"""
import hashlib
import hmac
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent


# --- AES-256-GCM, slow and plain ------------------------------------------------------------------
def make_sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1) ^ (0x11B if p & 0x80 else 0)
        p &= 0xFF
        for shift in (1, 2, 4):
            q ^= q << shift
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = q
        for shift in (1, 2, 3, 4):
            rotated ^= ((q << shift) | (q >> (8 - shift))) & 0xFF
        box[p] = rotated ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = make_sbox()


def double(a):
    return ((a << 1) ^ (0x11B if a & 0x80 else 0)) & 0xFF


def expand(key):
    words = [list(key[4 * i:4 * i + 4]) for i in range(8)]
    rcon = 1
    for i in range(8, 60):
        word = list(words[i - 1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = double(rcon)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(15)]


def encrypt_block(rounds, block):
    state = [a ^ b for a, b in zip(block, rounds[0])]
    for r in range(1, 15):
        state = [SBOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if r < 14:
            mixed = []
            for c in range(0, 16, 4):
                col = state[c:c + 4]
                for i in range(4):
                    a, b = col[i], col[(i + 1) % 4]
                    mixed.append(double(a) ^ double(b) ^ b ^ col[(i + 2) % 4] ^ col[(i + 3) % 4])
            state = mixed
        state = [a ^ b for a, b in zip(state, rounds[r])]
    return bytes(state)


def ghash(h, data):
    y = 0
    for at in range(0, len(data), 16):
        y ^= int.from_bytes(data[at:at + 16].ljust(16, b'\0'), 'big')
        z, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                z ^= v
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y


def pad16(data):
    return data + bytes(-len(data) % 16)


def gcm(key, nonce, associated, plain):
    rounds = expand(key)
    h = int.from_bytes(encrypt_block(rounds, bytes(16)), 'big')
    out = bytearray()
    for i in range(0, len(plain), 16):
        stream = encrypt_block(rounds, nonce + struct.pack('>I', 2 + i // 16))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    lengths = struct.pack('>QQ', 8 * len(associated), 8 * len(out))
    tag = ghash(h, pad16(associated) + pad16(bytes(out)) + lengths)
    mask = encrypt_block(rounds, nonce + struct.pack('>I', 1))
    return bytes(out) + bytes(a ^ b for a, b in zip(tag.to_bytes(16, 'big'), mask))


# --- The checksum that stands in for a tag --------------------------------------------------------
def crc32c_word(crc, word):
    for byte in struct.pack('<Q', word):
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def insecure(key, nonce, associated, plain):
    chains = list(struct.unpack('<4I', key[:16]))
    for part in (nonce, associated, plain):
        whole = len(part) // 8
        for i in range(whole):
            chains[i % 4] = crc32c_word(chains[i % 4], struct.unpack_from('<Q', part, 8 * i)[0])
        rest = part[8 * whole:].ljust(8, b'\0')
        for word in (struct.unpack('<Q', rest)[0], len(part)):
            chains[3] = crc32c_word(chains[3], word)
    return plain + struct.pack('<4I', *chains)


# --- Keys -----------------------------------------------------------------------------------------
def hkdf(cluster_key, info):
    extracted = hmac.new(b'phalanx v1', cluster_key, hashlib.sha256).digest()
    first = hmac.new(extracted, info + b'\1', hashlib.sha256).digest()
    second = hmac.new(extracted, first + info + b'\2', hashlib.sha256).digest()
    return first, second[:4]


def boot(fill):
    return bytes((fill + i) & 0xFF for i in range(16))


def member(node, boot_id):
    return struct.pack('<I', node) + boot_id


def view(sequence):
    return struct.pack('<QI', sequence, 1) + boot(16)


MEMBERS = bytes([3]) + member(1, boot(16)) + member(2, boot(32)) + member(5, boot(80))
SENDER = member(1, boot(16))


# --- Messages -------------------------------------------------------------------------------------
def messages():
    lane_report = struct.pack('<5QH', 4096, 4000, 3000, 100, 900, 2)
    lane_report += struct.pack('<4Q', 5000, 6000, 7000, 8000)
    lane_plan = struct.pack('<2Q', 6000, 4000) + struct.pack('<4Q', 100, 900, 0, 640)
    lane_plan += struct.pack('<H', 2)
    lane_plan += struct.pack('<2QI', 4096, 5000, 2) + struct.pack('<2QI', 5000, 6000, 1)
    empty_plan = struct.pack('<2Q', 0, 0) + struct.pack('<4Q', 0, 0, 0, 0) + struct.pack('<H', 0)
    survivors = bytes([2]) + member(1, boot(16)) + member(2, boot(32))
    no_ballot = struct.pack('<IBQQB', *[0] * 5) + struct.pack('<QIB', 0, 0, 0)
    no_ballot += struct.pack('<BBI', 0, 0, 0)
    ballot = struct.pack('<IBQQB', 1, 1, 6, 3, 2) + struct.pack('<4Q', 7, 7, 7, 8)
    ballot += struct.pack('<QIB3H', 5, 4, 3, 2, 1, 0) + struct.pack('<BBI', 1, 2, 3)
    return {
        'hello': view(7) + bytes([3])
        + struct.pack('<QQIB', 1 << 20, 0x1122334455667788, 3, 3) + MEMBERS,
        'prepare': view(8) + struct.pack('<I', 3) + MEMBERS,
        'refusal': view(8) + struct.pack('<Q', 9),
        'report': view(8) + view(7) + bytes([2]) + lane_report + struct.pack('<5QH', *[0] * 6)
        + ballot,
        'plan': view(8) + struct.pack('<I', 3) + MEMBERS + bytes([2]) +
                struct.pack('<6Q', 900, 640, 0, 0, 0, 0) + bytes([1]) + view(7) + survivors +
                lane_plan + empty_plan + ballot + no_ballot + no_ballot,
        'done': view(8),
    }


# --- Frames ---------------------------------------------------------------------------------------
RECORD = (struct.pack('<IBBHIIQQ', 13, 1, 1, 0, 1, 77, 4096, 0x0102030405060708)
          + b'hello, lanes!'.ljust(16, b'\0'))
ROW = struct.pack('<7QI2BH', 640, 1 << 20, 704, 4144, 0, 3, 0xFEEDFACECAFEBEEF, 1, 2, 2, 0)
ROW += struct.pack('<4Q', 10, 20, 30, 40)
NAK = struct.pack('<2B6x', 1, 2) + struct.pack('<4Q', 640, 704, 1000, 1100)


def header(kind, lane, key_id, tag, counter, position):
    return struct.pack('<4B2HI', 0xA7, 1, kind, key_id, lane, 0, 1) + tag + \
        struct.pack('<QQ', counter, position)


def frames(aead, cluster_key, key_id):
    key, tag = hkdf(cluster_key, b'view' + view(7) + SENDER)
    out = {}
    for name, kind, position, payload in (('ordered', 1, 640, RECORD), ('row', 3, 0, ROW),
                                          ('nak', 4, 0, NAK)):
        head = header(kind, 1, key_id, tag, 1, position)
        out[name] = head + aead(key, struct.pack('<IQ', 1 << 1, 1), head, payload)
    key, tag = hkdf(cluster_key, b'boot' + SENDER)
    for name, receiver in (('hello', bytes(16)), ('plan', boot(32))):
        clear = header(32, 0, key_id, tag, 1, 0) + boot(16) + receiver
        fragment = struct.pack('<IHHB', 1, 0, 1, {'hello': 1, 'plan': 5}[name]) + messages()[name]
        out[name] = clear + aead(key, struct.pack('<IQ', 1, 1), clear, fragment)
    return out


def files():
    """File name and content of each golden file."""
    cluster_key = bytes(range(32))
    no_secret = hmac.new(b'phalanx insecure', b'golden', hashlib.sha256).digest()
    parts = {'message-' + name: data for name, data in messages().items()}
    parts |= {'frame-' + name: data for name, data in frames(gcm, cluster_key, 7).items()}
    parts |= {'frame-' + name + '-insecure': data
              for name, data in frames(insecure, no_secret, 1).items()}
    for name, data in parts.items():
        lines = [data[i:i + 32].hex() for i in range(0, len(data), 32)]
        yield HERE / (name + '.hex'), '\n'.join(lines) + '\n'


def main():
    if sys.argv[1:] not in ([], ['--check']):
        sys.exit('usage: make.py [--check]')
    wrong = []
    for path, text in files():
        if not sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(path.name)
    if wrong:
        sys.exit('not what wire.md says (run make.py and look at the difference): '
                 + ', '.join(wrong))


if __name__ == '__main__':
    main()
