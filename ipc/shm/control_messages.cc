#include <cstring>

#include "ipc/base/bytes.h"
#include "ipc/shm/control_channel.h"

namespace phalanx::shm {
namespace {

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out) {}
  template <class T>
  void number(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    store_le<T>(out_.data() + at, value);
  }
  void boot(const BootId& id) {
    for (const std::uint8_t b : id.bytes) out_.push_back(std::byte{b});
  }
  void member(const Member& m) {
    number(m.node);
    boot(m.boot);
  }
  void view(const ViewId& v) {
    number(v.sequence);
    number(v.representative);
    boot(v.boot);
  }
  void blob(std::span<const std::byte> bytes) {
    number(static_cast<std::uint32_t>(bytes.size()));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

 private:
  std::vector<std::byte>& out_;
};

/// Reads past the end give zeros and make good() false.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}
  template <class T>
  T number() {
    if (in_.size() < sizeof(T)) {
      good_ = false;
      return 0;
    }
    const T value = load_le<T>(in_.data());
    in_ = in_.subspan(sizeof(T));
    return value;
  }
  BootId boot() {
    BootId id;
    for (std::uint8_t& b : id.bytes) b = number<std::uint8_t>();
    return id;
  }
  Member member() {
    const NodeId node = number<NodeId>();
    return {node, boot()};
  }
  ViewId view() {
    ViewId v;
    v.sequence = number<std::uint64_t>();
    v.representative = number<NodeId>();
    v.boot = boot();
    return v;
  }
  std::vector<std::byte> blob() {
    const std::size_t length = number<std::uint32_t>();
    if (length > in_.size()) {
      good_ = false;
      return {};
    }
    std::vector<std::byte> bytes(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(length));
    in_ = in_.subspan(length);
    return bytes;
  }
  [[nodiscard]] bool good() const { return good_ && in_.empty(); }

 private:
  std::span<const std::byte> in_;
  bool good_ = true;
};

}  // namespace

void encode(const Command& command, std::vector<std::byte>& out) {
  Writer w(out);
  w.number(static_cast<std::uint8_t>(command.kind));
  w.number(command.message_kind);
  w.number(command.token);
  w.view(command.attempt);
  w.number(static_cast<std::uint32_t>(command.to.size()));
  for (const Member& m : command.to) w.member(m);
  w.blob(command.bytes);
}

void encode(const Event& event, std::vector<std::byte>& out) {
  Writer w(out);
  w.number(static_cast<std::uint8_t>(event.kind));
  w.number(event.message_kind);
  w.number(event.token);
  w.member(event.sender);
  w.view(event.view);
  w.number(event.client);
  w.number(event.pid);
  w.number(event.uid);
  w.number(event.gid);
  w.blob(event.bytes);
}

void encode(const Tuning& tuning, std::vector<std::byte>& out) {
  Writer w(out);
  w.number(tuning.dead_after);
  w.number(static_cast<std::uint8_t>(tuning.throttles ? 1 : 0));
  w.number(tuning.throttle_max);
}

std::optional<Tuning> decode_tuning(std::span<const std::byte> bytes) {
  Reader r(bytes);
  Tuning tuning;
  tuning.dead_after = r.number<TimeNs>();
  tuning.throttles = r.number<std::uint8_t>() != 0;
  tuning.throttle_max = r.number<TimeNs>();
  if (!r.good() || tuning.dead_after == 0) return {};
  return tuning;
}

std::optional<Command> decode_command(std::span<const std::byte> bytes) {
  Reader r(bytes);
  Command c;
  c.kind = static_cast<CommandKind>(r.number<std::uint8_t>());
  c.message_kind = r.number<std::uint8_t>();
  c.token = r.number<std::uint32_t>();
  c.attempt = r.view();
  const auto count = r.number<std::uint32_t>();
  if (count > kNodesMax) return {};
  for (std::uint32_t i = 0; i < count; ++i) c.to.push_back(r.member());
  c.bytes = r.blob();
  if (!r.good() || c.kind < CommandKind::SendControl || c.kind > CommandKind::Tune) return {};
  return c;
}

std::optional<Event> decode_event(std::span<const std::byte> bytes) {
  Reader r(bytes);
  Event e;
  e.kind = static_cast<WorkerEventKind>(r.number<std::uint8_t>());
  e.message_kind = r.number<std::uint8_t>();
  e.token = r.number<std::uint32_t>();
  e.sender = r.member();
  e.view = r.view();
  e.client = r.number<ClientId>();
  e.pid = r.number<std::uint32_t>();
  e.uid = r.number<std::uint32_t>();
  e.gid = r.number<std::uint32_t>();
  e.bytes = r.blob();
  if (!r.good() || e.kind < WorkerEventKind::ControlMessage || e.kind > WorkerEventKind::KeysHeld)
    return {};
  return e;
}

}  // namespace phalanx::shm
