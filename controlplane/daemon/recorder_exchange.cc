#include "controlplane/daemon/recorder_exchange.h"

#include <sys/random.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "ipc/recorder/reader.h"
#include "transport/wire/codec.h"

namespace phalanx::controlplane {
namespace {

using recorder::Kind;

constexpr std::size_t kToldBytes = 8 + 2 + 2 + 4 + 4 * 8;
constexpr std::size_t kToldPerPage = wire::kRecorderTextBytes / kToldBytes;
constexpr std::size_t kPagesMax = (kToldMax + kToldPerPage - 1) / kToldPerPage;
constexpr TimeNs kRound = 30 * kMillisecond;
constexpr TimeNs kPatience = 600 * kMillisecond;
constexpr TimeNs kReadInterval = 100 * kMillisecond;
constexpr std::uint32_t kAnswersASecond = 2000;

/// Messages and clients are left out: they would push out what is asked for.
bool tells_of_views(Kind kind) noexcept {
  const recorder::KindInfo* info = recorder::info_of(kind);
  if (info == nullptr || info->subsystem == recorder::Subsystem::Client) return false;
  return kind != Kind::Progress && kind != Kind::NakSent && kind != Kind::NakHeard &&
         kind != Kind::SubmitRefused && kind != Kind::WireLoss;
}

nlohmann::json events_json(std::span<const ToldEvent> events) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [wall, event] : events) {
    list.push_back({wall, static_cast<unsigned>(event.kind), event.lane, event.node, event.view,
                    event.a, event.b, event.c});
  }
  return list;
}

}  // namespace

std::vector<ToldEvent> told_events(const std::string& directory) {
  std::vector<ToldEvent> told;
  for (const std::string& file : recorder::list_files(directory, true)) {
    const auto ring = recorder::read_file(file);
    if (!ring) continue;
    for (const recorder::Event& event : ring->events) {
      if (tells_of_views(event.kind)) told.push_back({ring->clock.wall_of(event.ticks), event});
    }
  }
  std::stable_sort(told.begin(), told.end(),
                   [](const ToldEvent& x, const ToldEvent& y) { return x.wall_ns < y.wall_ns; });
  if (told.size() > kToldMax) {
    told.erase(told.begin(), told.end() - static_cast<std::ptrdiff_t>(kToldMax));
  }
  return told;
}

std::vector<std::vector<std::byte>> pages_of(std::span<const ToldEvent> events) {
  std::vector<std::vector<std::byte>> pages(1);
  for (const auto& [wall, event] : events) {
    if (pages.back().size() + kToldBytes > wire::kRecorderTextBytes) pages.emplace_back();
    wire::Writer to(pages.back());
    to.put(wall);
    to.put(static_cast<std::uint16_t>(event.kind));
    to.put(event.lane);
    to.put(event.node);
    for (const std::uint64_t number : {event.view, event.a, event.b, event.c}) to.put(number);
  }
  return pages;
}

void take_page(std::span<const std::byte> page, std::vector<ToldEvent>& into) {
  wire::Reader from(page.first(page.size() / kToldBytes * kToldBytes));
  for (std::size_t i = 0; i < page.size() / kToldBytes; ++i) {
    ToldEvent told;
    told.wall_ns = from.take<std::uint64_t>();
    told.event.kind = static_cast<Kind>(from.take<std::uint16_t>());
    told.event.lane = from.take<std::uint16_t>();
    told.event.node = from.take<std::uint32_t>();
    told.event.view = from.take<std::uint64_t>();
    told.event.a = from.take<std::uint64_t>();
    told.event.b = from.take<std::uint64_t>();
    told.event.c = from.take<std::uint64_t>();
    into.push_back(told);
  }
}

RecorderExchange::RecorderExchange(EventLoop& loop, Options options, wire::RecorderSeal seal,
                                   SendTo send)
    : options_(std::move(options)),
      seal_(std::move(seal)),
      send_(std::move(send)),
      timer_(loop, [this] { ask_again(monotonic_now()); }) {}

void RecorderExchange::on_datagram(std::span<const std::byte> datagram, TimeNs now) {
  if (!may_answer(now)) return;  // Before the cipher: opening costs as much as answering.
  const auto word = seal_.open(datagram);
  const bool known = word && std::find(options_.peers.begin(), options_.peers.end(),
                                       word->sealer.node) != options_.peers.end();
  if (!known) return;
  if (word->tells) {
    take(*word);
  } else {
    answer(*word, now);
  }
}

bool RecorderExchange::may_answer(TimeNs now) noexcept {
  if (now >= second_ + kSecond) {
    second_ = now;
    answers_ = 0;
  }
  return ++answers_ <= kAnswersASecond;
}

// A question that is repeated (datagrams get lost, and can be replayed) costs no second reading.
void RecorderExchange::answer(const wire::RecorderWord& word, TimeNs now) {
  if (word.token != served_token_ || served_.empty()) {
    if (read_at_ != 0 && now < read_at_ + kReadInterval) return;
    served_ = pages_of(told_events(options_.directory));
    served_token_ = word.token;
    read_at_ = now;
  }
  if (word.page >= served_.size()) return;
  const auto datagram = seal_.seal({.tells = true,
                                    .sealer = options_.self,
                                    .counter = ++counter_,
                                    .token = word.token,
                                    .page = word.page,
                                    .pages = static_cast<std::uint16_t>(served_.size()),
                                    .text = served_[word.page]});
  send_(word.sealer.node, datagram);
}

void RecorderExchange::ask(const AdminServer::Reply& reply, TimeNs now) {
  if (question_) {
    return reply(admin_error(static_cast<int>(ExitCode::Failed),
                             "another one is asking just now: try again in a second"));
  }
  question_.emplace(Question{.reply = reply, .until = now + kPatience, .peers = {}});
  if (getrandom(&question_->token, sizeof question_->token, 0) < 0) question_->token = now;
  for (const NodeId peer : options_.peers) question_->peers[peer].pages.resize(1);
  ask_again(now);
}

void RecorderExchange::ask_again(TimeNs now) {
  if (!question_) return;
  bool complete = true;
  for (const auto& [node, peer] : question_->peers) {
    for (std::size_t page = 0; page < peer.pages.size(); ++page) {
      if (peer.pages[page]) continue;
      complete = false;
      const auto datagram = seal_.seal({.sealer = options_.self,
                                        .counter = ++counter_,
                                        .token = question_->token,
                                        .page = static_cast<std::uint16_t>(page)});
      send_(node, datagram);
    }
  }
  if (complete || now >= question_->until) return finish();
  timer_.arm(now + kRound);
}

void RecorderExchange::take(const wire::RecorderWord& word) {
  if (!question_ || word.token != question_->token) return;
  Peer& peer = question_->peers[word.sealer.node];
  if (word.pages == 0 || word.pages > kPagesMax || word.page >= word.pages) return;
  const bool first = peer.pages.size() != word.pages;
  if (first) peer.pages.resize(word.pages);
  peer.pages[word.page] = word.text;
  const auto whole = [](const auto& other) {
    return std::all_of(other.second.pages.begin(), other.second.pages.end(),
                       [](const auto& page) { return page.has_value(); });
  };
  if (first || std::all_of(question_->peers.begin(), question_->peers.end(), whole)) {
    timer_.arm(monotonic_now());
  }
}

void RecorderExchange::finish() {
  timer_.disarm();
  const Question asked = std::move(*question_);
  question_.reset();
  nlohmann::json nodes = nlohmann::json::array();
  nodes.push_back({{"id", options_.self.node},
                   {"answered", true},
                   {"events", events_json(told_events(options_.directory))}});
  for (const auto& [node, peer] : asked.peers) {
    std::vector<ToldEvent> events;
    bool answered = true;
    for (const auto& page : peer.pages) {
      if (page) take_page(*page, events);
      answered = answered && page;
    }
    nodes.push_back({{"id", node}, {"answered", answered}, {"events", events_json(events)}});
  }
  asked.reply({{"version", 1}, {"nodes", std::move(nodes)}});
}

}  // namespace phalanx::controlplane
