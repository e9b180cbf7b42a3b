// counter GROUP ADD: a counter that is replicated by adding up the same numbers in the same order.
//
// The pattern: state machine replication. Every member applies every message in the agreed order,
// so that all hold the same value at the same point; a member is up to date when its own message is
// back.
#include <charconv>
#include <cstdio>
#include <phalanx/phalanx.hpp>

namespace {

class Counter {
 public:
  void apply(std::string_view text) {
    long amount = 0;
    std::from_chars(text.data(), text.data() + text.size(), amount);
    value_ += amount;
    ++applied_;
  }
  [[nodiscard]] long value() const { return value_; }
  [[nodiscard]] long applied() const { return applied_; }

 private:
  long value_ = 0, applied_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: counter GROUP ADD\n");
    return 2;
  }
  Counter counter;
  phx_member self{};
  bool member = false, own_is_back = false;
  const phalanx::Client client = phalanx::Client::attached_or_throw({
      .message =
          [&](const phx_message& message) {
            counter.apply(phalanx::text_of(message));
            own_is_back |= message.node == self.node && message.client == self.client;
          },
      .group_view = [&](const phx_group_view&) { member = true; },
      .node_view = {},
      .connection = {},
  });
  phx_group group = 0;
  if (client.local_id(self) != PHX_OK || client.join(argv[1], group) != PHX_OK) return 1;
  while (!member) (void)client.dispatch(PHX_DISPATCH_ONE, 1000);

  while (client.multicast(group, argv[2]) == PHX_TRY_AGAIN)
    (void)client.dispatch(PHX_DISPATCH_ALL, 10);
  while (!own_is_back) (void)client.dispatch(PHX_DISPATCH_ONE, 1000);
  std::printf("after %ld messages the counter is %ld\n", counter.applied(), counter.value());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "counter: %s\n", error.what());
  return 1;
}
