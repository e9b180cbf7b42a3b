// The same as hello.c, by the owners of ipc.hpp: `hello serve NAME`, then `hello NAME`.
#include <phalanx/ipc.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace {

enum : std::uint32_t { kHelloService = 1, kGreet = 0 };

phalanx::ipc::Server* running = nullptr;

phx_status serve(const char* name) {
  phalanx::ipc::Server server;
  const phx_status status =
      server.create(name, kHelloService, {[](const phalanx::ipc::Request& request) {
                      (void)request.reply("hello " + std::string(request.text()));
                    }});
  if (status != PHX_OK) return status;
  running = &server;
  std::signal(SIGTERM, [](int) { running->stop(); });
  std::puts("ready");
  std::fflush(stdout);
  return server.run();
}

phx_status ask(const char* name) {
  phalanx::ipc::Client client;
  phx_status status = client.connect(name, kHelloService);
  std::string reply;
  if (status == PHX_OK) status = client.call(kGreet, "world", reply, 64, 5000);
  if (status == PHX_OK) std::puts(reply.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = argc == 3 && std::strcmp(argv[1], "serve") == 0;
  if (!serves && argc != 2) {
    std::fprintf(stderr, "usage: %s [serve] SERVER-NAME\n", argv[0]);
    return 2;
  }
  const phx_status status = serves ? serve(argv[2]) : ask(argv[1]);
  if (status != PHX_OK) std::fprintf(stderr, "error: %s\n", phx_strerror(status));
  return status == PHX_OK ? 0 : 1;
}
