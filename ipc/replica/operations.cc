// Operations: which are taken, which are refused, and when their origin may be told.

#include <algorithm>

#include "ipc/base/assert.h"
#include "ipc/replica/replica.h"

namespace phalanx::replica {
namespace {

constexpr std::uint64_t kRefusedNoQuorum = 0x6e6f2071756f7275;
constexpr std::uint64_t kRefusedFull = 0x66756c6c;
constexpr std::size_t kAnswerBytes = 24;
constexpr std::size_t kHeldBytes = 24;

}  // namespace

/// Rule: an operation counts if its origin is live here and it is the next one of that origin.
/// What does not count is sent again by its origin, when that is live.
void Replica::on_operations(MemberId from, const Header& header, std::span<const std::byte> body,
                            Place place) noexcept {
  if (!current_) return;
  const Row* row = row_of(from);
  if (row == nullptr || !row->live || row->origin != header.origin) return;
  Origins::Entry& origin = origins_.at(header.origin);
  if (header.number == 0 || header.number > origin.number + 1) return;
  Operation operation{
      .origin = header.origin, .number = header.number, .own = header.origin == options_.origin};
  for (; !body.empty(); ++operation.number) {
    const std::uint64_t bytes =
        body.size() < 8 ? ~std::uint64_t{0} : load_le<std::uint64_t>(body.data());
    if (bytes > options_.message_bytes_max || Pending::entry_bytes(bytes) > body.size()) {
      ++counters_.rejected;
      return;
    }
    operation.bytes = body.subspan(8, bytes);
    body = body.subspan(Pending::entry_bytes(bytes));
    if (operation.number == origin.number + 1) take_operation(operation, origin, place);
  }
}

void Replica::take_operation(const Operation& operation, Origins::Entry& origin,
                             Place place) noexcept {
  origin.number = operation.number;
  Outcome outcome = Outcome::Done;
  std::int64_t result = 0;
  if (options_.write_quorum && !place.quorate) {
    outcome = Outcome::NotQuorate;
    note(operation.origin, operation.number, kRefusedNoQuorum);
  } else if (!history_.make_room(operation.bytes.size(), origins_) && !place.quorate) {
    // Rule: what a side without quorum took must reach the other one; it takes no more than that.
    outcome = Outcome::Full;
    note(operation.origin, operation.number, kRefusedFull);
  } else {
    result = host_.apply(host_.context, operation);
    note(operation.origin, operation.number, static_cast<std::uint64_t>(result));
    if (result == 0) {
      PHX_CHECK(history_.append(operation.origin, operation.number, operation.bytes));
      if (place.quorate && !place.transitional) history_.settle();
    }
  }
  ++(outcome == Outcome::Done && result == 0 ? counters_.applied : counters_.refused);
  if (operation.own) answer_own(operation.number, outcome, result, place.transitional);
}

void Replica::note(std::uint64_t origin, std::uint64_t number, std::uint64_t result) noexcept {
  ++key_.operations;
  std::uint64_t digest = key_.digest ^ (origin + number * 0x9e3779b97f4a7c15ull);
  digest = (digest ^ (digest >> 32)) * 0xd6e8feb86659fd93ull + result;
  key_.digest = digest ^ (digest >> 29);
}

/// Rule: what was delivered in a transitional part may be known to this side alone; whether it
/// stays shows in the next view.
void Replica::answer_own(std::uint64_t number, Outcome outcome, std::int64_t result,
                         bool transitional) noexcept {
  while (!pending_.empty() && pending_.first_number() < number)
    host_.answer(host_.context, pending_.pop(), Outcome::InDoubt, 0);
  if (pending_.empty() || pending_.first_number() != number) return;
  const std::uint64_t ticket = pending_.pop();
  if (outcome != Outcome::Done && number < doubtful_below_) outcome = Outcome::InDoubt;
  if (!transitional) return host_.answer(host_.context, ticket, outcome, result);
  PHX_CHECK(held_answers_.put(ticket) && held_answers_.put(static_cast<std::uint64_t>(result)) &&
            held_answers_.put(static_cast<std::uint64_t>(outcome)));
}

void Replica::pass_held_answers(Outcome done) noexcept {
  Buffer answers(std::move(held_answers_));
  for (; answers.size() >= kAnswerBytes; answers.consume(kAnswerBytes)) {
    const auto ticket = load_le<std::uint64_t>(answers.data());
    const auto result = static_cast<std::int64_t>(load_le<std::uint64_t>(answers.data() + 8));
    const auto outcome = static_cast<Outcome>(load_le<std::uint64_t>(answers.data() + 16));
    host_.answer(host_.context, ticket, outcome == Outcome::Done ? done : outcome,
                 done == Outcome::Done ? result : 0);
  }
}

void Replica::answer_overtaken() noexcept {
  const std::uint64_t number = origins_.number(options_.origin);
  while (!pending_.empty() && pending_.first_number() <= number)
    host_.answer(host_.context, pending_.pop(), Outcome::InDoubt, 0);
}

void Replica::send_operations_again() noexcept {
  answer_overtaken();
  pending_.rewind();
}

void Replica::hold(MemberId from, std::span<const std::byte> message) noexcept {
  const std::uint64_t flags = (quorate_ ? 1u : 0u) | (transitional_ ? 2u : 0u);
  PHX_CHECK(held_.put(from.node) && held_.put(from.client) && held_.put(flags) &&
            held_.put<std::uint64_t>(message.size()) &&
            held_.append(message.data(), message.size()));
}

void Replica::apply_held() noexcept {
  Buffer held(std::move(held_));
  while (held.size() >= kHeldBytes) {
    BufferReader in(held.bytes());
    const MemberId from{in.take<std::uint32_t>(), in.take<std::uint32_t>()};
    const auto flags = in.take<std::uint64_t>();
    const auto bytes = static_cast<std::size_t>(in.take<std::uint64_t>());
    const std::span<const std::byte> message = in.take_bytes(bytes);
    Header header;
    if (decode(message, header)) {
      on_operations(from, header, message.subspan(kHeaderBytes),
                    {.quorate = (flags & 1) != 0, .transitional = (flags & 2) != 0});
    }
    held.consume(kHeldBytes + bytes);
  }
}

/// Rule: the table is bounded, and goes alike everywhere: origins that are not here go first.
void Replica::prune_origins() noexcept {
  const std::size_t fit = (options_.message_bytes_max - 256) / Origins::kEntryBytes;
  const std::size_t most = std::min(options_.origins_max, fit);
  const auto here = [&](std::uint64_t origin) {
    return std::any_of(rows_.begin(), rows_.end(),
                       [&](const Row& row) { return row.origin == origin; });
  };
  for (std::size_t i = 0; origins_.entries().size() > most && i < origins_.entries().size();) {
    const std::uint64_t origin = origins_.entries()[i].origin;
    if (here(origin)) {
      ++i;
    } else {
      origins_.erase(origin);
    }
  }
}

}  // namespace phalanx::replica
