"""Builds phalanx-sim with changed sources, beside the build folder that it borrows objects from."""
import contextlib
import re
import shlex
import shutil
import subprocess
import sys

TARGET = 'tests/sim/phalanx-sim'


class DoesNotCompile(Exception):
    pass


def output_of(command, cwd):
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


class Build:
    def __init__(self, root, folder):
        self.root = root.resolve()
        self.folder = (self.root / folder).resolve()
        if not (self.folder / 'build.ninja').exists():
            sys.exit(f'tests/mutants/run: {folder} is no build folder; --build names one')
        subprocess.run(['ninja', TARGET], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        self.compile = {}  # Object -> its command, as words.
        for line in output_of(['ninja', '-t', 'commands', TARGET], self.folder).splitlines():
            words = shlex.split(line)
            if '-c' in words:
                self.compile[words[words.index('-o') + 1]] = words
            elif TARGET in words:
                self.link = words
        self.sources = self._sources()

    def _sources(self):
        """Object -> the files of this tree that it is made of."""
        sources, current = {}, None
        for line in output_of(['ninja', '-t', 'deps'], self.folder).splitlines():
            match = re.match(r'(\S+): #deps', line)
            if match:
                current = sources.setdefault(match.group(1), set())
            elif line.startswith('    '):
                path = (self.folder / line.strip()).resolve()
                if path.is_relative_to(self.root):
                    current.add(str(path.relative_to(self.root)))
        return sources

    @contextlib.contextmanager
    def plant(self, mutant):
        """Gives the path of a simulator with the bug in it, for as long as it is needed."""
        changed = mutant.apply(self.root)
        # One place a mutant: ccache knows it again.
        scratch = self.folder / 'mutants' / mutant.name
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            for file, text in changed.items():
                (scratch / file).parent.mkdir(parents=True, exist_ok=True)
                (scratch / file).write_text(text)
            objects = {}
            for object_file in self.compile:
                if self.sources.get(object_file, set()) & changed.keys():
                    objects[object_file] = self._compile(object_file, scratch)
            yield self._link(objects, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _compile(self, object_file, scratch):
        words = list(self.compile[object_file])
        out = scratch / (object_file.replace('/', '_') + '.o')
        source = words[-1]
        relative = str((self.folder / source).resolve().relative_to(self.root))
        if (scratch / relative).exists():
            words[-1] = str(scratch / relative)
        words[words.index('-o') + 1] = str(out)
        for flag in ('-MF', '-MQ'):
            at = words.index(flag)
            del words[at:at + 2]
        words.remove('-MD')
        # Compiling takes longer than running what it makes: O1 does.
        words = ['-O1' if word == '-O3' else word for word in words]
        # Changed headers come before those of the tree; both are included from the root.
        at = next(i for i, word in enumerate(words) if word.startswith('-'))
        words[at:at] = [f'-I{scratch}', '-w']
        self._run(words)
        return out

    def _link(self, objects, scratch):
        out = scratch / 'phalanx-sim'
        words = []
        for word in self.link:
            words.append(str(objects.pop(word)) if word in objects else word)
        words[words.index('-o') + 1] = str(out)
        # What comes before an archive is taken instead of the archive's own.
        at = words.index('-o') + 2
        words[at:at] = [str(path) for path in objects.values()]
        self._run(words)
        return out

    def _run(self, words):
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise DoesNotCompile(done.stderr[-2000:])
