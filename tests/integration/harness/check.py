"""What must be true of the output of subscribers."""


def first_difference(a, b):
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return i
    return min(len(a), len(b))


def same(subscribers, what=lambda s: s.messages()):
    """All of them delivered exactly the same."""
    reference = what(subscribers[0])
    assert reference, f"{subscribers[0].name} delivered nothing"
    for other in subscribers[1:]:
        got = what(other)
        if got == reference:
            continue
        i = first_difference(reference, got)
        raise AssertionError(
            f"{subscribers[0].name} ({len(reference)}) and {other.name} ({len(got)}) "
            f"differ at {i}:\n  {reference[i:i + 3]}\n  {got[i:i + 3]}")


def complete(subscriber, *publishers):
    """Each line of each publisher was delivered once, and in the order it was sent (G3, G4)."""
    got = subscriber.messages()
    for publisher in publishers:
        prefix = publisher.sent[0].rsplit("-", 1)[0] + "-"
        mine = [token for token in got if token.startswith(prefix)]
        i = first_difference(publisher.sent, mine)
        assert mine == publisher.sent, (
            f"{subscriber.name}: {len(mine)} of {len(publisher.sent)} lines of {publisher.name}, "
            f"first difference at {i}: {publisher.sent[i:i + 2]} but {mine[i:i + 2]}")


def no_duplicates(subscriber):
    got = subscriber.messages()
    assert len(got) == len(set(got)), f"{subscriber.name} delivered a message twice"


def part_of(subscriber, reference, suffix=False):
    """Its messages are one unbroken part of the reference's, the last part if suffix is set."""
    mine, whole = subscriber.messages(), reference.messages()
    assert mine, f"{subscriber.name} delivered nothing"
    start = whole.index(mine[0]) if mine[0] in whole else -1
    assert start >= 0, f"{subscriber.name} delivered {mine[0]}, {reference.name} did not"
    assert whole[start:start + len(mine)] == mine, (
        f"{subscriber.name} has a gap or another order, near "
        f"{mine[first_difference(mine, whole[start:])]}")
    if suffix:
        assert start + len(mine) == len(whole), f"{subscriber.name} lacks the end"


def within_views(subscribers):
    """Who went from one view to the next delivered the same in it as all that went along (G1, G2).

    Only for subscribers whose data plane lived: another join looks like another view.
    """
    told, compared = {}, 0
    for subscriber in subscribers:
        views = subscriber.views()[1:]  # Somewhere in the first one it joined.
        for (view, messages), (following, _) in zip(views, views[1:]):
            first, reference = told.setdefault((view, following), (subscriber, messages))
            compared += first is not subscriber
            i = first_difference(reference, messages)
            assert messages == reference, (
                f"{first.name} ({len(reference)}) and {subscriber.name} ({len(messages)}) went "
                f"from {view!r} to {following!r} and differ at {i}:\n"
                f"  {reference[i:i + 3]}\n  {messages[i:i + 3]}")
    return compared


def in_order_of(subscriber, reference, gaps_most=None):
    """Whatever both delivered, they delivered in one order, and with so many gaps at most.

    Not for one that was left out alive: parts that split may end their common view differently.
    """
    place = {token: i for i, token in enumerate(reference.messages())}
    last, last_token, gaps = -1, "nothing", 0
    for token in subscriber.messages():
        at = place.get(token)
        if at is None:
            continue
        assert at > last, (
            f"{subscriber.name} delivered {token} after {last_token}, {reference.name} before")
        gaps += at != last + 1
        last, last_token = at, token
    assert gaps_most is None or gaps <= gaps_most, (
        f"{subscriber.name} has {gaps} gaps, it was away {gaps_most} times")
