// Server, pool and proxy against each other, over real sockets on loopback.
#include "http/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <functional>

#include "http/channel.h"
#include "http/server.h"
#include "net/event.h"

namespace faas::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct HandlerOf final : Handler {
  std::function<Task<>(Exchange&)> body;
  explicit HandlerOf(std::function<Task<>(Exchange&)> f) : body(std::move(f)) {}
  Task<> serve(Exchange& exchange) override { return body(exchange); }
};

// A server on a port of its own.
struct Site {
  HandlerOf handler;
  Server server;
  net::Address address;

  Site(net::Core& core, std::function<Task<>(Exchange&)> body, ServerLimits limits = {})
      : handler(std::move(body)), server(core, handler, limits) {
    auto fd = net::listen(*net::Address::parse("127.0.0.1:0"));
    address = *net::Address::parse("127.0.0.1:" + std::to_string(net::port_of(fd->get())));
    core.spawn(net::accept_for(net::Stream(std::move(*fd)), {&server}));
  }
};

struct ProxySite {
  ClientPool pool;
  HopEdits edits;
  net::Address upstream;
  std::optional<ForwardOutcome> last;
  Duration limit = seconds(20);
  Site site;

  ProxySite(net::Core& core, const net::Address& to)
      : pool(core), upstream(to), site(core, [this](Exchange& exchange) { return pass(exchange); }) {}

  Task<> pass(Exchange& exchange) {
    const ForwardOptions options{.target = exchange.request().target, .deadline = Clock::now() + limit};
    last = co_await forward(exchange, pool, upstream, options, edits);
    if (last->error && !exchange.head_sent() && last->error->origin != Origin::client) {
      const int status = last->deadline ? 504 : 502;
      auto sent = co_await answer_text(exchange, status, last->error->text);
      (void)sent;
    }
  }
};

void run(std::function<Task<>(net::Core&)> body) {
  net::Core core;
  const auto whole = [](net::Core& on_core, std::function<Task<>(net::Core&)> f) -> Task<> {
    auto task = f(on_core);
    const bool ended = co_await net::within(std::move(task), Clock::now() + seconds(30));
    EXPECT_TRUE(ended) << "the test hangs";
    on_core.stop();
  };
  core.post([&core, &whole, &body] { core.spawn(whole(core, body)); });
  core.run();
}

Task<net::Stream> dial(const net::Address& address) {
  auto stream = co_await net::connect(address);
  EXPECT_TRUE(stream.has_value());
  co_return std::move(*stream);
}

// Everything until the server closes.
Task<std::string> read_all(net::Stream& stream) {
  std::string out;
  std::vector<char> buffer(65536);
  while (true) {
    auto n = co_await stream.read(buffer);
    if (!n || *n == 0) co_return out;
    out.append(buffer.data(), *n);
  }
}

Task<std::string> read_until(net::Stream& stream, std::string_view mark) {
  std::string out;
  char c = 0;
  while (!out.ends_with(mark)) {
    auto n = co_await stream.read({&c, 1});
    if (!n || *n == 0) co_return out + "<end>";
    out.push_back(c);
  }
  co_return out;
}

Task<std::string> ask(const net::Address& address, std::string request) {
  auto stream = co_await dial(address);
  auto wrote = co_await stream.write(request);
  EXPECT_TRUE(wrote.has_value());
  auto answer = co_await read_all(stream);
  co_return answer;
}

Task<> echo(Exchange& exchange) {
  const auto length = exchange.request().body;
  exchange.head(200)
      .field("X-Path", exchange.request().target)
      .field("X-Hop", exchange.request().value("X-Hop"));
  exchange.field("X-Length",
                 length.kind == Framing::Kind::length ? std::to_string(length.length) : "chunked");
  while (true) {
    auto piece = co_await exchange.read_body();
    if (!piece) co_return;
    if (piece->empty()) break;
    auto wrote = co_await exchange.write(*piece);
    if (!wrote) co_return;
  }
  auto done = co_await exchange.finish();
  (void)done;
}

Task<> answer_when_let_go(Exchange& exchange, net::Event& begun, net::Event& let_go) {
  if (exchange.request().path() == "/wait") {
    begun.set();
    co_await let_go.wait();
  }
  exchange.head(200);
  auto sent = co_await exchange.send("done");
  (void)sent;
}

TEST(ServerTest, LargeHeadsShareWhatTheyMayHold) {
  run([](net::Core& core) -> Task<> {
    net::Event begun(core);
    net::Event let_go(core);
    Site site(core, [&](Exchange& exchange) { return answer_when_let_go(exchange, begun, let_go); },
              {.large_heads_bytes_max = 15000});
    const auto large = "X-Large: " + std::string(10000, 'a');
    auto first = co_await dial(site.address);
    const auto request = "GET /wait HTTP/1.1\r\nHost: a\r\n" + large + "\r\n\r\n";
    auto wrote = co_await first.write(request);
    EXPECT_TRUE(wrote.has_value());
    co_await begun.wait();

    auto refused = co_await ask(site.address, "GET /half HTTP/1.1\r\nHost: a\r\n" + large);
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: 1\r\n"));
    EXPECT_THAT(refused, EndsWith("request heads above 4 KiB hold as much as they may together"));
    const std::string close = "Host: a\r\nConnection: close\r\n";
    auto small = co_await ask(site.address, "GET /small HTTP/1.1\r\n" + close + "\r\n");
    EXPECT_THAT(small, StartsWith("HTTP/1.1 200 OK\r\n")) << "what fits every connection is always taken";

    let_go.set();
    auto answer = co_await read_until(first, "done");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    const auto next = "GET /next HTTP/1.1\r\n" + close + large + "\r\n\r\n";
    wrote = co_await first.write(next);
    EXPECT_TRUE(wrote.has_value());
    auto taken = co_await read_all(first);
    EXPECT_THAT(taken, StartsWith("HTTP/1.1 200 OK\r\n")) << "there is room again";
  });
}

TEST(ServerTest, AnswersPipelinedRequestsInOrderAndThenCloses) {
  run([](net::Core& core) -> Task<> {
    Site site(core, echo);
    auto answer =
        co_await ask(site.address,
                     "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nonePOST /2 HTTP/1.1\r\nHost: "
                     "a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nX-Path: /1\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n3\r\none\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nX-Path: /2\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n3\r\ntwo\r\n0\r\n\r\n"));
  });
}

TEST(ServerTest, RefusesAMalformedRequestInAClearLine) {
  run([](net::Core& core) -> Task<> {
    Site site(core, echo);
    auto answer = co_await ask(site.address, "GET / HTTP/1.1\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n400 Bad Request: missing required Host header"));
  });
}

TEST(ServerTest, ASlowHeadGets400AndSilenceNothing) {
  run([](net::Core& core) -> Task<> {
    Site site(core, echo, {.header_timeout = milliseconds(30), .idle_timeout = milliseconds(30)});
    auto partial = co_await ask(site.address, "GET / HT");
    EXPECT_THAT(partial, StartsWith("HTTP/1.1 400 "));
    auto silent = co_await ask(site.address, "");
    EXPECT_EQ(silent, "");
  });
}

TEST(ServerTest, AHandlerWithoutAnswerIsA500AndOneCutInTheMiddleCutsTheClient) {
  run([](net::Core& core) -> Task<> {
    Site site(core, [](Exchange& exchange) -> Task<> {
      if (exchange.request().path() == "/none") co_return;
      exchange.head(200);
      auto wrote = co_await exchange.write("half");
      (void)wrote;
    });
    auto none = co_await ask(site.address, "GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(none, StartsWith("HTTP/1.1 500 "));
    auto half = co_await ask(site.address, "GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(half, EndsWith("4\r\nhalf\r\n")) << "no last chunk";
  });
}

TEST(ServerTest, AHandlerIsDestroyedWhenItsClientIsGoneButNotWhenItOnlyFinishedSending) {
  run([](net::Core& core) -> Task<> {
    bool destroyed = false;
    net::Event go;
    Site site(core, [&destroyed, &go](Exchange& exchange) {
      const auto body = [](Exchange& e, bool& flag, net::Event& event) -> Task<> {
        struct Note {
          bool& flag;
          ~Note() { flag = true; }
        };
        const Note note{flag};
        co_await event.wait();
        e.head(200);
        auto sent = co_await e.send("done");
        (void)sent;
      };
      return body(exchange, destroyed, go);
    });
    auto gone = co_await dial(site.address);
    auto wrote = co_await gone.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(wrote.has_value());
    co_await net::sleep_for(milliseconds(20));
    EXPECT_EQ(site.server.busy(), 1U);
    gone.close();
    for (int i = 0; i < 500 && !destroyed; ++i) co_await net::sleep_for(milliseconds(2));
    EXPECT_TRUE(destroyed);
    destroyed = false;

    auto half = co_await dial(site.address);
    wrote = co_await half.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    half.shutdown_write();
    co_await net::sleep_for(milliseconds(50));
    EXPECT_FALSE(destroyed);
    go.set();
    auto answer = co_await read_all(half);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\ndone"));
  });
}

TEST(ServerTest, SendsContinueOnlyWhenTheBodyIsWanted) {
  run([](net::Core& core) -> Task<> {
    Site site(core, echo);
    auto answer = co_await ask(site.address,
                               "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
                               "2\r\nConnection: close\r\n\r\nhi");
    EXPECT_THAT(answer, Not(HasSubstr("100 Continue"))) << "the body was there already";
    auto waiting = co_await dial(site.address);
    auto wrote = co_await waiting.write(
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    auto first = co_await read_until(waiting, "\r\n\r\n");
    EXPECT_EQ(first, "HTTP/1.1 100 Continue\r\n\r\n");
    wrote = co_await waiting.write("hi");
    auto second = co_await read_until(waiting, "0\r\n\r\n");
    EXPECT_THAT(second, StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

TEST(ServerTest, HeadHasTheLengthButNoBody) {
  run([](net::Core& core) -> Task<> {
    Site site(core, [](Exchange& exchange) -> Task<> {
      exchange.head(200);
      auto sent = co_await exchange.send("hello");
      (void)sent;
    });
    auto answer = co_await ask(site.address, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  });
}

TEST(ProxyTest, KeepsTheFramingOfEachSideAndDropsWhatBelongsToOneHop) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, echo);
    ProxySite proxy(core, origin.address);
    auto answer = co_await ask(
        proxy.site.address,
        "POST /a//b?x=%zz HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nConnection: close, X-Hop\r\nContent-Length: "
        "5\r\n\r\nhello");
    EXPECT_THAT(answer, HasSubstr("X-Path: /a//b?x=%zz\r\n"));
    EXPECT_THAT(answer, HasSubstr("X-Hop: \r\n"));
    EXPECT_THAT(answer, HasSubstr("X-Length: 5\r\n"));
    EXPECT_THAT(answer, EndsWith("5\r\nhello\r\n0\r\n\r\n"));
    answer = co_await ask(proxy.site.address,
                          "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: "
                          "chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("X-Length: chunked\r\n"));
    EXPECT_THAT(answer, EndsWith("2\r\nab\r\n0\r\n\r\n"));
  });
}

TEST(ProxyTest, CarriesALargeBodyBothWaysAtOnce) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, echo);
    ProxySite proxy(core, origin.address);
    auto stream = co_await dial(proxy.site.address);
    const std::string body(20 << 20, 'x');
    const auto send = [](net::Stream& to, const std::string& bytes) -> Task<> {
      auto wrote = co_await to.write("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " +
                                     std::to_string(bytes.size()) + "\r\n\r\n");
      wrote = co_await to.write(bytes);
      EXPECT_TRUE(wrote.has_value());
    };
    net::Running<void> sender(send(stream, body));
    auto answer = co_await read_all(stream);
    EXPECT_GT(answer.size(), body.size());
    EXPECT_THAT(answer, EndsWith("0\r\n\r\n"));
    EXPECT_TRUE(proxy.last && proxy.last->complete);
  });
}

TEST(ProxyTest, AClientThatBreaksOffItsBodyEndsItsCallAndNothingElse) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, echo);
    ProxySite proxy(core, origin.address);
    for (const std::string body :
         {"Content-Length: 11\r\n\r\nhello w", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
      auto stream = co_await dial(proxy.site.address);
      auto wrote = co_await stream.write("POST / HTTP/1.1\r\nHost: a\r\n" + body);
      EXPECT_TRUE(wrote.has_value());
      stream.shutdown_write();
      auto answer = co_await read_all(stream);
      EXPECT_FALSE(proxy.last->complete);
      EXPECT_EQ(proxy.last->error->origin, Origin::client) << proxy.last->error->text;
      EXPECT_THAT(answer, Not(EndsWith("0\r\n\r\n"))) << "the answer must not look whole";
    }
    auto next = co_await ask(proxy.site.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(next, StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

TEST(ProxyTest, ACutAnswerIsCutForTheClientToo) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, [](Exchange& exchange) -> Task<> {
      exchange.head(200);
      auto wrote = co_await exchange.write("half");
      (void)wrote;
    });
    ProxySite proxy(core, origin.address);
    auto answer = co_await ask(proxy.site.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, EndsWith("4\r\nhalf\r\n"));
    EXPECT_FALSE(proxy.last->complete);
    EXPECT_EQ(proxy.last->error->origin, Origin::function);
  });
}

TEST(ProxyTest, TheDeadlineAndADeadUpstreamAreToldApart) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, [](Exchange&) -> Task<> { co_await net::sleep_for(seconds(60)); });
    ProxySite proxy(core, origin.address);
    proxy.limit = milliseconds(30);
    auto late = co_await ask(proxy.site.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(late, StartsWith("HTTP/1.1 504 "));
    auto closed = net::listen(*net::Address::parse("127.0.0.1:0"));
    proxy.upstream = *net::Address::parse("127.0.0.1:" + std::to_string(net::port_of(closed->get())));
    closed->close();
    proxy.limit = seconds(5);
    auto dead = co_await ask(proxy.site.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(dead, StartsWith("HTTP/1.1 502 "));
    EXPECT_EQ(proxy.last->error->code, Code::refused);
  });
}

TEST(ProxyTest, AnUpgradeBecomesATunnel) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, [](Exchange& exchange) -> Task<> {
      exchange.head(101).field("Connection", "Upgrade").field("Upgrade", "echo");
      auto upgraded = co_await exchange.upgrade();
      while (upgraded) {
        const auto bytes = upgraded->channel.data();
        if (bytes.empty()) {
          const auto wake = co_await upgraded->channel.more(TimePoint::max());
          if (wake != Wake::data) co_return;
          continue;
        }
        auto wrote = co_await upgraded->channel.stream().write(bytes);
        upgraded->channel.consume(bytes.size());
        if (!wrote) co_return;
      }
    });
    ProxySite proxy(core, origin.address);
    auto stream = co_await dial(proxy.site.address);
    auto wrote = co_await stream.write(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: ECHO\r\n\r\nearly!");
    auto head = co_await read_until(stream, "\r\n\r\n");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    auto early = co_await read_until(stream, "!");
    EXPECT_EQ(early, "early!");
    wrote = co_await stream.write("late!");
    auto late = co_await read_until(stream, "!");
    EXPECT_EQ(late, "late!");
    stream.shutdown_write();
    auto rest = co_await read_all(stream);
    EXPECT_EQ(rest, "");
  });
}

// Answers the first request of each connection and hangs up on the second without a word.
Task<> one_answer_each(net::Stream listener, int& requests) {
  const auto serve = [](net::Stream stream, int& count) -> Task<> {
    for (int i = 0; i < 2; ++i) {
      auto head = co_await read_until(stream, "\r\n\r\n");
      if (head.ends_with("<end>")) co_return;
      ++count;
      if (i == 1) co_return;
      auto wrote = co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      if (!wrote) co_return;
    }
  };
  while (true) {
    co_await listener.readable();
    net::Fd fd(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (fd) net::Core::current().spawn(serve(net::Stream(std::move(fd)), requests));
  }
}

TEST(ProxyTest, AConnectionThatDiesUnderARequestIsReplacedForAGetAndNeverForAPost) {
  run([](net::Core& core) -> Task<> {
    int requests = 0;
    auto fd = net::listen(*net::Address::parse("127.0.0.1:0"));
    const auto address = *net::Address::parse("127.0.0.1:" + std::to_string(net::port_of(fd->get())));
    core.spawn(one_answer_each(net::Stream(std::move(*fd)), requests));
    ProxySite proxy(core, address);
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    auto first = co_await ask(proxy.site.address, get);
    EXPECT_THAT(first, EndsWith("ok"));
    auto again = co_await ask(proxy.site.address, get);
    EXPECT_THAT(again, EndsWith("ok"));
    EXPECT_EQ(requests, 3) << "the second get was sent twice";
    auto lost = co_await ask(proxy.site.address, post);
    EXPECT_THAT(lost, StartsWith("HTTP/1.1 502 "));
    EXPECT_EQ(requests, 4);
  });
}

TEST(PoolTest, AConnectionTheUpstreamClosesLeavesThePool) {
  run([](net::Core& core) -> Task<> {
    Site origin(core, echo, {.idle_timeout = milliseconds(20)});
    ProxySite proxy(core, origin.address);
    auto answer = co_await ask(proxy.site.address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
    {
      auto lease = proxy.pool.take_idle(origin.address);
      EXPECT_NE(lease, nullptr);
      proxy.pool.give_back(std::move(lease));
    }
    co_await net::sleep_for(milliseconds(80));
    EXPECT_EQ(proxy.pool.take_idle(origin.address), nullptr);
  });
}

}  // namespace
}  // namespace faas::http
