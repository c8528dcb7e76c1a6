// Any bytes as what a client sends over a connection, in two different cuts and then the end: the server
// understands the same requests and answers them alike.
#include <array>

#include "conversation.h"
#include "http/server.h"

namespace {

using namespace faas;

// Says what it was asked.
class Echo final : public http::Handler {
 public:
  Task<> serve(http::Exchange& exchange) override {
    const auto& request = exchange.request();
    std::string text;
    text.append(request.method_text).append(" ").append(request.target).append(" ").append(request.host);
    for (const auto& field : request.fields)
      text.append("\n").append(field.name).append(":").append(field.value);
    text.append("\n\n");
    while (!exchange.body_complete()) {
      const auto piece = co_await exchange.read_body();
      if (!piece) {
        text.append("!").append(piece.error().text);
        break;
      }
      text.append(*piece);
    }
    exchange.head(200).field("Date", "now");
    (void)co_await exchange.send(text);
  }
};

Task<> talk(net::Core& core, http::Server& server, std::string_view bytes, fuzz::Slices slices,
            std::string& answers) {
  auto [ours, theirs] = fuzz::connected();
  net::Stream stream(std::move(theirs));
  server.connections.fetch_add(1);
  server.receive(std::move(ours));
  {
    net::Running<void> speaker(fuzz::say(core, stream, bytes, slices));
    std::array<char, 4096> room;
    while (true) {
      const auto n = co_await stream.read(room);
      if (!n || *n == 0) break;
      answers.append(room.data(), *n);
    }
  }
  stream.close();
  while (server.connections.load() > 0) co_await fuzz::Turn(core);
  core.stop();
}

// Without what depends on the clock, or on whether a body was at hand before it was asked for.
std::string without(std::string text, std::string_view begin, std::string_view end) {
  for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at)) {
    const auto until = text.find(end, at + begin.size());
    text.erase(at, until == text.npos ? text.npos : until + end.size() - at);
  }
  return text;
}

std::string answered(std::string_view bytes, std::uint64_t seed) {
  static net::Core core;
  static Echo echo;
  static http::Server server(core, echo,
                             {.header_timeout = Duration::zero(),
                              .read_timeout = Duration::zero(),
                              .idle_timeout = Duration::zero(),
                              .write_timeout = Duration::zero(),
                              .head_bytes_max = 1024,
                              .drain_bytes_max = 1024});
  std::string answers;
  core.post([&] { core.spawn(talk(core, server, bytes, fuzz::Slices(bytes, seed), answers)); });
  core.run();
  return without(without(answers, "HTTP/1.1 100 Continue\r\n", "\r\n"), "\r\nDate: ", "\r\n");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  const auto first = answered(input, 1);
  HOLDS(answered(input, 2) == first);
  HOLDS(first.empty() || first.starts_with("HTTP/1."));
  return 0;
}
