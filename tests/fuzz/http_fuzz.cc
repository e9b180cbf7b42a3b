#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controlplane/http/bounded_server.h"
#include "ipc/base/assert.h"
#include "ipc/base/fd.h"

// Whatever a stranger sends to phalanx-metrics, it gets an HTTP answer or a hang-up, at once, and
// the page only for a GET.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx;
  static http::BoundedServer* const server = [] {
    auto* made = new http::BoundedServer({.time_max = std::chrono::milliseconds(200)});
    made->Get("/page", [](const httplib::Request&, httplib::Response& out) {
      out.set_content("the-page", "text/plain");
    });
    return made;
  }();
  std::array<int, 2> pair;
  PHX_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const Fd client(pair[0]);
  if (size > 0) (void)!send(client.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  (void)shutdown(client.get(), SHUT_WR);

  (void)server->serve_one(pair[1]);

  std::array<char, 65536> text;
  const ssize_t got = recv(client.get(), text.data(), text.size(), MSG_DONTWAIT);
  const std::string_view answer(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  PHX_CHECK(answer.empty() || answer.starts_with("HTTP/1.1 "));
  const std::string_view asked(reinterpret_cast<const char*>(data), size);
  PHX_CHECK(answer.find("the-page") == std::string_view::npos ||
            asked.find("GET") != std::string_view::npos);
  return 0;
}
