#!/usr/bin/env python3
"""The loops that the encoder's time goes into, as the compiler makes them for each instruction set
of x86: in a tile of a matrix product the sums stay in registers while k runs. A compiler that
stores them in every step halves the speed and changes no result, so no other test would see it,
least of all for instructions that the machine lacks.

    hot_loops_test.py BUILD_FOLDER

compiles src/nn's kernels by the commands of the build folder, optimised as users run them."""

import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

KERNELS = ("kernels_avx2.cc", "kernels_avx512.cc", "int8_avx2.cc", "int8_avx2_vnni.cc",
           "int8_avx512.cc", "int8_avx512_vnni.cc", "bf16_avx512_bf16.cc")
TILE = re.compile(r"\b(?:lane_)?tile<.*?, (\d+)ul, (\d+)ul>")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$")
VECTOR_STORE = re.compile(r"^%[xyz]mm\d+,.*\(")
VECTOR_COPY = re.compile(r"^%[xyz]mm\d+,%[xyz]mm\d+$")


def innermost_loops(function):
    """Lists of (mnemonic, operands): what lies between a jump back and its target, with no other
    jump inside."""
    at = {}
    code = []
    for line in function:
        match = INSTRUCTION.match(line)
        if not match:
            continue
        address, mnemonic, operands = match.groups()
        at[int(address, 16)] = len(code)
        code.append((mnemonic, operands))
    for end, (mnemonic, operands) in enumerate(code):
        target = re.match(r"([0-9a-f]+)\b", operands) if mnemonic.startswith("j") else None
        begin = at.get(int(target.group(1), 16), end + 1) if target else end + 1
        body = code[begin:end]
        if begin < end and not any(m.startswith(("j", "call")) for m, _ in body):
            yield body


def functions(disassembly):
    name, lines = None, []
    for line in disassembly.splitlines():
        if re.match(r"^[0-9a-f]+ <.*>:$", line):
            if name:
                yield name, lines
            name, lines = line, []
        lines.append(line)
    if name:
        yield name, lines


def wasted(body):
    """The stores of a vector register and the copies of one into another."""
    stores = [o for m, o in body if m.startswith("vmov") and VECTOR_STORE.match(o)]
    copies = [o for m, o in body if m.startswith("vmov") and VECTOR_COPY.match(o)]
    return stores, copies


def tiles(disassembly):
    """(rows, vectors, the loop over k) of each tile's function; its loop over k is the longest."""
    for name, lines in functions(disassembly):
        match = TILE.search(name)
        if match:
            loops = sorted(innermost_loops(lines), key=len)
            yield int(match.group(1)), int(match.group(2)), loops[-1] if loops else None


def disassemble(command, folder, scratch):
    arguments = shlex.split(command)
    output = arguments.index("-o") + 1
    arguments[output] = str(scratch / pathlib.Path(arguments[output]).name)
    arguments = ["-O2" if a == "-O1" else a for a in arguments]
    subprocess.run(arguments, cwd=folder, check=True)
    return subprocess.run(["objdump", "-dC", "--no-show-raw-insn", arguments[output]], check=True,
                          capture_output=True, text=True).stdout


class Tiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build = pathlib.Path(sys.argv[1])
        commands = {pathlib.Path(c["file"]).name: c
                    for c in json.loads((build / "compile_commands.json").read_text())
                    if "millrace_nn.dir" in c["command"]}
        with tempfile.TemporaryDirectory() as scratch, \
                concurrent.futures.ThreadPoolExecutor(2) as pool:
            texts = pool.map(lambda name: disassemble(commands[name]["command"],
                                                      commands[name]["directory"],
                                                      pathlib.Path(scratch)), KERNELS)
            cls.disassembly = dict(zip(KERNELS, texts))

    def test_each_kernel_has_its_tiles(self):
        for name, text in self.disassembly.items():
            found = {rows for rows, _, _ in tiles(text)}
            self.assertEqual(found, set(range(1, max(found) + 1)), name)
            self.assertIn(max(found), (6, 14), name)

    def test_no_tile_stores_its_sums_in_a_step(self):
        for name, text in self.disassembly.items():
            for rows, vectors, loop in tiles(text):
                with self.subTest(kernel=name, rows=rows, vectors=vectors):
                    self.assertIsNotNone(loop)
                    stores, _ = wasted(loop)
                    self.assertEqual(stores, [])

    def test_no_whole_tile_copies_registers(self):
        for name, text in self.disassembly.items():
            whole = max(rows for rows, _, _ in tiles(text))
            for rows, vectors, loop in tiles(text):
                if rows == whole:
                    with self.subTest(kernel=name, vectors=vectors):
                        _, copies = wasted(loop)
                        self.assertEqual(copies, [])


class HotLoops(unittest.TestCase):
    """What is looked for is found."""

    GOOD = """
0000000000000000 <void tile<V, 6ul, 2ul>(float const*)>:
       0:\tvmovups (%rsi),%zmm1
       4:\tvpbroadcastd (%rdi),%zmm0
       8:\tvpdpbusd %zmm1,%zmm0,%zmm2
       e:\tcmp    %rcx,%rax
      11:\tjne    4 <void tile<V, 6ul, 2ul>(float const*)+0x4>
      13:\tvmovups %zmm2,(%rdx)
      19:\tret
"""

    def test_stores_behind_the_loop_are_not_in_it(self):
        ((rows, vectors, loop),) = tiles(self.GOOD)
        self.assertEqual((rows, vectors, len(loop)), (6, 2, 3))
        self.assertEqual(wasted(loop), ([], []))

    def test_a_store_in_the_loop_is_seen(self):
        bad = self.GOOD.replace("       e:", "       b:\tvmovdqa32 %zmm2,-0x38(%rsp)\n       e:")
        ((_, _, loop),) = tiles(bad)
        self.assertEqual(wasted(loop), (["%zmm2,-0x38(%rsp)"], []))

    def test_a_copy_in_the_loop_is_seen(self):
        bad = self.GOOD.replace("       e:", "       b:\tvmovdqa64 %zmm2,%zmm3\n       e:")
        ((_, _, loop),) = tiles(bad)
        self.assertEqual(wasted(loop), ([], ["%zmm2,%zmm3"]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
