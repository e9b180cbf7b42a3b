"""Mutant files: what a planted bug is, and where."""
import dataclasses


class Stale(Exception):
    """The source no longer has the text that a mutant changes."""


@dataclasses.dataclass
class Mutant:
    name: str
    breaks: str = ''
    why: str = ''
    recipe: str = 'swarm'  # And options of phalanx-sim behind it.
    survives: str = ''     # Why it is not found, where that is known.
    fast: bool = False
    edits: list = dataclasses.field(default_factory=list)  # (file, search, replacement)

    def apply(self, root):
        """The changed sources: {path below root: text}."""
        sources = {}
        for file, search, replacement in self.edits:
            text = sources[file] if file in sources else (root / file).read_text()
            if text.count(search) != 1:
                raise Stale(f'{file} has the text {text.count(search)} times: {search!r}')
            sources[file] = text.replace(search, replacement)
        return sources


def load(path):
    head, *edits = path.read_text().split('\n--- ')
    mutant = Mutant(path.stem)
    key = None
    for line in head.splitlines():
        if line.startswith(' '):  # The value goes on.
            setattr(mutant, key, getattr(mutant, key) + ' ' + line.strip())
            continue
        key, value = (part.strip() for part in line.split(':', 1))
        if key not in ('breaks', 'why', 'recipe', 'survives', 'fast'):
            raise ValueError(f'{path}: unknown key {key}')
        setattr(mutant, key, value == 'yes' if key == 'fast' else value)
    for edit in edits:
        file, _, body = edit.partition('\n')
        search, _, replacement = body.partition('\n===')
        mutant.edits.append((file.strip(), search, replacement.strip('\n')))
    if not mutant.edits or not mutant.breaks or not mutant.why:
        raise ValueError(f'{path}: needs breaks, why and an edit')
    return mutant


def load_all(folder):
    return [load(path) for path in sorted(folder.glob('*.mutant'))]
