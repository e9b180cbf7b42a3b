"""Runs a simulator with a bug in it until the bug shows."""
import dataclasses
import re
import subprocess
import time

LIMIT_S = 3600


@dataclasses.dataclass
class Result:
    name: str
    verdict: str  # found, survived, STALE
    detail: str

    def line(self):
        return f'{self.verdict:8} {self.name:34} {self.detail}'


def hunt(mutant, simulator, seeds):
    """The aimed recipe first, then swarms."""
    begun = time.monotonic()
    aimed = mutant.recipe.split()
    for words in [aimed] + [[swarm] for swarm in ('storm', 'swarm') if aimed != [swarm]]:
        command = [simulator, '--recipe', *words, '--seeds', f'1..{seeds}', '--no-shrink']
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            continue
        seed = re.search(r'seed (\d+)', done.stderr)
        return Result(mutant.name, 'found',
                      f'by {guarantee(done.stderr)} (aimed at {mutant.breaks}), '
                      f'{" ".join(words)}, {seed.group(1) if seed else "?"} seeds, '
                      f'{time.monotonic() - begun:.0f} s')
    reason = f': {mutant.survives}' if mutant.survives else ''
    return Result(mutant.name, 'survived', f'aimed at {mutant.breaks}{reason}')


def guarantee(text):
    match = re.search(r'^VIOLATED (G\d+)', text, re.MULTILINE)
    if match:
        return match.group(1)
    return 'a hang' if 'HUNG' in text else 'an assertion'
