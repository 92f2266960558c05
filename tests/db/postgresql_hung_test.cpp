// PostgreSQL servers that hang, die, lie or refuse, in each state of a session, in virtual time.

#include "db/postgresql/backend_key.hpp"
#include "db/postgresql/error.hpp"
#include "db/scripted_postgresql.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <malloc.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using db_test::scripted_postgresql;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;
using peer = scripted_postgresql::peer;

void with(const std::function<void(scripted_postgresql&)>& prepare,
          const std::function<task<>(scripted_postgresql&, pool&)>& use, tare::db::pool_options options = {}) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .blocking_threads = 2});
  auto body = [&]() -> task<> {
    scripted_postgresql server;
    prepare(server);
    auto opened = pool::open(server.uri(), options);
    EXPECT_TRUE(opened) << opened.error().message();
    if (!opened) co_return;
    co_await server.serve_while(use(server, *opened));
  };
  rt.run(body());
}

task<std::string> ask(pool& in) {
  auto done = co_await in.execute("SELECT 1");
  co_return done ? "ok" : std::string(name_of(done.error().kind())) + ": " + done.error().message();
}

/// Abandons a statement after 0.3 s, and checks that the slot is returned after the session has been stopped.
task<> give_up_and_go_on(pool& in) {
  const auto began = tare::now();
  auto done = co_await tare::timeout(300ms, in.execute("SELECT 1"));
  EXPECT_FALSE(done);
  while (in.lent() != 0 && tare::now() - began < 100s) co_await tare::sleep_for(50ms);
  EXPECT_LT(tare::now() - began, 6s) << "the slot was not returned in time";
  EXPECT_EQ(in.lent(), 0U);
}

task<> for_ever(peer& of) {
  for (;;) {
    const char kind = co_await of.next();
    if (kind == '\0') break;
  }
  co_await tare::sleep_for(1h);
}

// --- cancelling -----------------------------------------------------------------------------------------------------

TEST(db_postgresql_hung, a_request_to_cancel_names_the_session) {
  tare::event stopped;
  with(
      [&](scripted_postgresql& server) {
        server.on_session = [&](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          (void)co_await of.statement();
          co_await stopped.wait();
          co_await of.send(db_test::error_message("57014", "canceling statement due to user request") +
                           db_test::message('Z', "I"));
          co_await of.serve();
        };
        server.on_cancel = [&](peer& /*of*/) -> task<> {
          stopped.set();
          co_return;
        };
      },
      [](scripted_postgresql& server, pool& in) -> task<> {
        co_await give_up_and_go_on(in);
        EXPECT_EQ(server.cancels, 1);
        EXPECT_EQ(server.last_cancel, db_test::number(4711) + db_test::number(0xdeadbeef));
        EXPECT_EQ(co_await ask(in), "ok");
        EXPECT_EQ(server.sessions, 1) << "the session was stopped, and must be reused";
      },
      {.connections = 1});
}

TEST(db_postgresql_hung, a_server_that_hangs_costs_a_slot_for_the_limit_and_no_thread) {
  using handler = std::function<task<>(peer&)>;
  const std::vector<std::pair<const char*, handler>> ways{
      {"never answers", [](peer& of) { return for_ever(of); }},
      {"closes without doing anything", [](peer& /*of*/) -> task<> { co_return; }},
      {"answers late", [](peer& /*of*/) -> task<> { co_await tare::sleep_for(900ms); }},
      {"responds too late", [](peer& /*of*/) -> task<> { co_await tare::sleep_for(3s); }},
      {"says something", [](peer& of) -> task<> { co_await of.send("nonsense"); }},
  };
  for (const auto& [name, way] : ways) {
    SCOPED_TRACE(name);
    with(
        [&](scripted_postgresql& server) {
          server.on_session = [](peer& of, int number) -> task<> {
            co_await of.send(scripted_postgresql::welcome());
            if (number < 2) co_await for_ever(of);
            co_await of.serve();
          };
          server.on_cancel = way;
        },
        [](scripted_postgresql& server, pool& in) -> task<> {
          co_await tare::when_all(give_up_and_go_on(in), give_up_and_go_on(in));
          EXPECT_EQ(co_await ask(in), "ok");
          EXPECT_EQ(server.sessions, 3);
          EXPECT_LE(server.cancels, 2 * 6) << "each request costs the server a process";
          // No thread of the blocking pool is waiting.
          const int offloaded = co_await tare::offload([] { return 7; });
          EXPECT_EQ(offloaded, 7);
        },
        {.connections = 2});
  }
}

TEST(db_postgresql_hung, a_part_of_a_response_does_not_prolong_it) {
  with(
      [&](scripted_postgresql& server) {
        server.on_session = [](peer& of, int number) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          if (number > 0) co_return co_await of.serve();
          (void)co_await of.statement();
          const std::string notice = db_test::message('N', std::string("SNOTICE\0C00000\0Mhm\0\0", 20));
          for (int i = 0; i < 10'000; ++i) {
            co_await of.send(std::string_view(notice).substr(static_cast<std::size_t>(i) % notice.size(), 1));
            co_await tare::sleep_for(50ms);
          }
        };
        server.on_cancel = [](peer& /*of*/) -> task<> { co_return; };
      },
      [](scripted_postgresql& /*server*/, pool& in) -> task<> {
        co_await give_up_and_go_on(in);
        EXPECT_EQ(co_await ask(in), "ok");
      },
      {.connections = 1});
}

TEST(db_postgresql_hung, a_statement_that_ends_by_itself_is_not_cancelled) {
  with(
      [](scripted_postgresql& server) {
        server.on_session = [](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          const std::string first = co_await of.statement();
          co_await tare::sleep_for(310ms);
          co_await of.send(first);
          co_await of.serve();
        };
      },
      [](scripted_postgresql& server, pool& in) -> task<> {
        co_await give_up_and_go_on(in);
        EXPECT_EQ(co_await ask(in), "ok");
        EXPECT_EQ(server.cancels, 0);
        EXPECT_EQ(server.sessions, 1);
      },
      {.connections = 1});
}

/// A cancel request that the server has not confirmed could stop the next statement.
TEST(db_postgresql_hung, a_session_with_a_request_to_cancel_under_way_is_not_lent) {
  with(
      [](scripted_postgresql& server) {
        server.on_session = [](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          const std::string first = co_await of.statement();
          co_await tare::sleep_for(2s);
          co_await of.send(first);
          co_await of.serve();
        };
        server.on_cancel = [](peer& of) { return for_ever(of); };
      },
      [](scripted_postgresql& server, pool& in) -> task<> {
        co_await give_up_and_go_on(in);
        EXPECT_GT(server.cancels, 0);
        EXPECT_EQ(co_await ask(in), "ok");
        EXPECT_EQ(server.sessions, 2);
      },
      {.connections = 1});
}

TEST(db_postgresql_hung, a_storm_of_cancellations_is_a_few_requests_at_a_time) {
  with(
      [](scripted_postgresql& server) {
        server.on_session = [](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          co_await for_ever(of);
        };
        server.on_cancel = [](peer& /*of*/) -> task<> { co_await tare::sleep_for(500ms); };
      },
      [](scripted_postgresql& server, pool& in) -> task<> {
        std::vector<task<>> all;
        for (int i = 0; i < 32; ++i) all.push_back(give_up_and_go_on(in));
        co_await tare::when_all(std::move(all));
        EXPECT_LE(server.max_cancels, 4);
        EXPECT_GT(server.cancels, 4);
      },
      {.connections = 32});
}

TEST(db_postgresql_hung, a_batch_that_is_given_up_while_it_is_sent_is_settled) {
  with(
      [](scripted_postgresql& server) {
        server.on_session = [](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          co_await tare::sleep_for(1s);
          co_await of.serve();
        };
      },
      [](scripted_postgresql& server, pool& in) -> task<> {
        tare::db::batch many;
        for (int i = 0; i < 2000; ++i) many.add("SELECT $1", std::string(10'000, 'y'));
        auto done = co_await tare::timeout(300ms, in.execute(std::move(many)));
        EXPECT_FALSE(done);
        while (in.lent() != 0) co_await tare::sleep_for(50ms);
        EXPECT_EQ(co_await ask(in), "ok");
        EXPECT_EQ(server.sessions, 1);
      },
      {.connections = 1});
}

// --- sessions that end ----------------------------------------------------------------------------------------------

TEST(db_postgresql_hung, a_response_cut_at_any_byte_is_unavailable_and_the_next_one_is_right) {
  for (std::size_t size = 0; size < 200; ++size) {
    bool whole = false;
    with(
        [&](scripted_postgresql& server) {
          server.on_session = [&](peer& of, int number) -> task<> {
            co_await of.send(scripted_postgresql::welcome());
            if (number > 0) co_return co_await of.serve();
            const std::string all = co_await of.statement();
            whole = size >= all.size();
            co_await of.send(std::string_view(all).substr(0, size));
          };
        },
        [&](scripted_postgresql& /*server*/, pool& in) -> task<> {
          auto done = co_await in.execute("SELECT 1");
          EXPECT_EQ(done.has_value(), whole) << size;
          if (!done) {
            EXPECT_EQ(done.error().kind(), error_kind::unavailable) << size;
          }
          EXPECT_EQ(co_await ask(in), "ok") << "after " << size;
        },
        {.connections = 1});
    if (whole) return;
  }
  ADD_FAILURE() << "the response is longer than expected";
}

TEST(db_postgresql_hung, a_login_cut_or_stopped_at_any_byte_is_unavailable) {
  const std::string all = scripted_postgresql::welcome();
  for (const bool closes : {true, false}) {
    for (std::size_t size = 0; size < all.size(); ++size) {
      with(
          [&](scripted_postgresql& server) {
            server.on_session = [&](peer& of, int number) -> task<> {
              if (number > 0) {
                co_await of.send(all);
                co_return co_await of.serve();
              }
              co_await of.send(std::string_view(all).substr(0, size));
              if (!closes) co_await for_ever(of);
            };
          },
          [&](scripted_postgresql& /*server*/, pool& in) -> task<> {
            const auto began = tare::now();
            auto done = co_await in.execute("SELECT 1");
            EXPECT_FALSE(done);
            if (!done) {
              EXPECT_EQ(done.error().kind(), error_kind::unavailable) << size;
            }
            EXPECT_LT(tare::now() - began, 6s);
            co_await tare::sleep_for(2s);
            EXPECT_EQ(co_await ask(in), "ok") << size;
          },
          {.connections = 1});
    }
  }
}

// --- refused logins --------------------------------------------------------------------------------------------------

TEST(db_postgresql_hung, a_login_that_is_refused_has_the_kind_of_its_sqlstate) {
  const std::vector<std::pair<std::string, error_kind>> refusals{
      {"28P01", error_kind::denied},       // a wrong password
      {"28000", error_kind::denied},       // an unknown role, or no entry in pg_hba.conf
      {"3D000", error_kind::denied},       // an unknown database
      {"42501", error_kind::denied},       // no CONNECT privilege
      {"53300", error_kind::unavailable},  // too many connections
      {"57P03", error_kind::unavailable},  // starting up
  };
  for (const auto& [state, kind] : refusals) {
    with(
        [&](scripted_postgresql& server) {
          server.on_session = [&](peer& of, int /*number*/) -> task<> {
            co_await of.send(db_test::error_message(state, "not: today"));
          };
        },
        [&](scripted_postgresql& /*server*/, pool& in) -> task<> {
          auto done = co_await in.execute("SELECT 1");
          EXPECT_FALSE(done);
          if (done) co_return;
          EXPECT_EQ(done.error().kind(), kind) << state;
          EXPECT_EQ(done.error().code(), state);
          EXPECT_NE(done.error().message().find("FATAL:  not: today"), std::string::npos) << done.error().message();
        });
  }
}

TEST(db_postgresql_hung, what_libpq_says_of_a_login_is_understood) {
  using tare::db::detail::login_error;
  const std::string at = "connection to server at \"127.0.0.1\", port 5432 failed: ";
  EXPECT_EQ(login_error(at + "Connection refused\n\tIs the server running?\n").kind(), error_kind::unavailable);
  EXPECT_EQ(login_error(at + "fe_sendauth: no password supplied\n").kind(), error_kind::denied);
  EXPECT_EQ(login_error(at + "server does not support SSL, but SSL was required\n").kind(), error_kind::denied);
  EXPECT_EQ(login_error(at + "SSL error: certificate verify failed\n").kind(), error_kind::denied);
  // Another language, and the lines that follow the first.
  const auto german = login_error(at + "FATAL:  28P01: Passwort-Authentifizierung fehlgeschlagen\nORT:  auth.c:333\n");
  EXPECT_EQ(german.kind(), error_kind::denied);
  EXPECT_EQ(german.code(), "28P01");
  EXPECT_EQ(german.message(), at + "FATAL:  Passwort-Authentifizierung fehlgeschlagen");
  // A name with two addresses.
  const auto both = login_error(at + "FATAL:  28000: no\nLOCATION:  x\n" + at + "Connection refused\n\tIs it?\n");
  EXPECT_EQ(both.kind(), error_kind::denied);
  EXPECT_EQ(login_error("").kind(), error_kind::unavailable);
}

TEST(db_postgresql_hung, a_key_is_read_from_a_trace) {
  using tare::db::detail::parse_backend_key;
  const auto key = parse_backend_key("B\t12\tBackendKeyData\t 4711 -559038737");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->process, 4711U);
  EXPECT_EQ(key->secret, 0xdeadbeefU);
  for (const char* other : {"", "B\t5\tReadyForQuery\t I", "F\t12\tBackendKeyData\t 1 2", "B\t12\tBackendKeyData\t",
                            "B\t12\tBackendKeyData\t 1", "B\t12\tBackendKeyData\t 1 2 3",
                            "B\t12\tBackendKeyData\t NNNN NNNN", "B\t12\tBackendKeyData\t 99999999999 2"}) {
    EXPECT_FALSE(parse_backend_key(other)) << other;
  }
}

TEST(db_postgresql_hung, a_uri_is_read_when_the_pool_is_opened) {
  for (const char* bad :
       {"postgresql://h:notaport/d", "postgresql://h:0/d", "postgresql://h:65536/d", "postgresql://h:-1/d",
        "postgresql:///d?port=x", "postgresql://a:1,b:y/d", "postgresql:///d?host=a,b,c&port=1,2",
        "postgresql://h/d?sslmode=maybe", "postgresql://h/d?connect_timeout=soon", "postgresql://h/d?nonsense=1"}) {
    auto opened = pool::open(bad);
    EXPECT_FALSE(opened) << bad;
    if (!opened) {
      EXPECT_EQ(opened.error().kind(), error_kind::syntax) << bad;
    }
  }
  for (const char* right : {"postgresql://h:5432/d", "postgresql:///d", "postgresql://a:1,b:2/d", "postgresql://a,b/d",
                            "postgresql://h/d?sslmode=verify-full", "postgres://h/d?connect_timeout=3"}) {
    auto opened = pool::open(right);
    EXPECT_TRUE(opened) << right << ": " << opened.error().message();
  }
}

// --- what accumulates -----------------------------------------------------------------------------------------------

TEST(db_postgresql_hung, notifications_do_not_pile_up) {
  with(
      [](scripted_postgresql& server) {
        server.on_session = [](peer& of, int /*number*/) -> task<> {
          co_await of.send(scripted_postgresql::welcome());
          const std::string news =
              db_test::message('A', db_test::number(1) + "channel" + '\0' + std::string(7000, 'n') + '\0');
          for (;;) {
            const std::string responses = co_await of.statement();
            if (responses.empty()) co_return;
            for (int i = 0; i < 20; ++i) co_await of.send(news);
            co_await of.send(responses);
          }
        };
      },
      [](scripted_postgresql& /*server*/, pool& in) -> task<> {
        EXPECT_EQ(co_await ask(in), "ok");
        const std::size_t before = ::mallinfo2().uordblks;
        for (int i = 0; i < 100; ++i) {
          const std::string done = co_await ask(in);
          EXPECT_EQ(done, "ok");
        }
        EXPECT_LT(::mallinfo2().uordblks, before + 2'000'000) << "14 MB of notifications have arrived";
      },
      {.connections = 1});
}

}  // namespace
