#include "http/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using tare::task;
using tare::http::handler;
using tare::http::request;
using tare::http::response;
using tare::http::router;
using tare::http::server;
using tare::test::raw_client;
using testing::HasSubstr;

/// Responds with its name and the parameters.
handler named(std::string name, std::vector<std::string> params = {}) {
  return [name = std::move(name), params = std::move(params)](request& request, response& response) -> task<> {
    std::string text = name;
    for (const std::string& param : params) text += " " + param + "=" + request.param(param);
    (void)co_await response.send("text/plain", text);
  };
}

class http_router : public tare::test::http_test {};

TEST_P(http_router, chooses_by_method_and_path) {
  router routes;
  routes.get("/", named("root"))
      .get("/items", named("list"))
      .post("/items", named("create"))
      .get("/items/{id}", named("show", {"id"}))
      .get("/items/new", named("form"))
      .get("/items/{id}/parts/{part}", named("part", {"id", "part"}))
      .get("/items/new/parts", named("new parts"))
      .put("/items/{id}", named("replace", {"id"}))
      .patch("/items/{id}", named("change", {"id"}))
      .del("/items/{key}", named("remove", {"key"}))
      .get("/files/{path...}", named("files", {"path"}))
      .get("/files/about", named("about"));
  with_server(routes, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    const auto ask = [&](std::string line) -> task<raw_client::response> {
      co_return co_await client.ask(line + " HTTP/1.1\r\nHost: a\r\n\r\n");
    };
    const auto body = [&](std::string line) -> task<std::string> { co_return (co_await ask(std::move(line))).body; };
    EXPECT_EQ(co_await body("GET /"), "root");
    EXPECT_EQ(co_await body("GET /?a=b"), "root");
    EXPECT_EQ(co_await body("GET /items"), "list");
    EXPECT_EQ(co_await body("POST /items"), "create");
    EXPECT_EQ(co_await body("GET /items/7"), "show id=7");
    EXPECT_EQ(co_await body("GET /items/a%20b%2Fc"), "show id=a b/c");
    EXPECT_EQ(co_await body("GET /items/new"), "form");
    EXPECT_EQ(co_await body("GET /items/newer"), "show id=newer");
    EXPECT_EQ(co_await body("PUT /items/7"), "replace id=7");
    EXPECT_EQ(co_await body("PATCH /items/7"), "change id=7");
    EXPECT_EQ(co_await body("PATCH /items/new"), "change id=new") << "backtracks to the parameter";
    EXPECT_EQ((co_await ask("PATCH /items")).status, 405U);
    EXPECT_EQ(co_await body("DELETE /items/new"), "remove key=new") << "backtracks to the parameter";
    EXPECT_EQ(co_await body("GET /items/new/parts"), "new parts");
    EXPECT_EQ(co_await body("GET /items/new/parts/3"), "part id=new part=3");
    EXPECT_EQ(co_await body("GET /files/a/b.txt"), "files path=a/b.txt");
    EXPECT_EQ(co_await body("GET /files/about"), "about");
    EXPECT_EQ(co_await body("GET http://a/items/7"), "show id=7");
    EXPECT_EQ((co_await ask("GET /items/")).status, 404U) << "a parameter cannot be empty";
    EXPECT_EQ((co_await ask("GET /nothing")).status, 404U);
    EXPECT_EQ((co_await ask("GET /items/7/parts")).status, 404U);

    const auto wrong = co_await ask("PUT /items");
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_THAT(wrong.head, HasSubstr("allow: GET, HEAD, POST\r\n"));
    const auto options = co_await ask("OPTIONS /items");
    EXPECT_EQ(options.status, 204U);
    EXPECT_THAT(options.head, HasSubstr("allow: GET, HEAD, POST\r\n"));
    EXPECT_EQ((co_await ask("OPTIONS *")).status, 204U);
    co_await client.send("HEAD /items HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT((co_await client.read_response(true)).head, HasSubstr("content-length: 4\r\n"));
  });
}

TEST_P(http_router, otherwise_takes_the_rest) {
  router routes;
  routes.get("/", named("root")).otherwise(named("other"));
  with_server(routes, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")).body, "other");
  });
}

TEST(router, refuses_routes_that_cannot_be) {
  router routes;
  routes.get("/a/{b}", named("first"));
  for (const std::string_view bad : {"a", "/a/{b}", "/a/{c}", "/{", "/x{y}", "/{}", "/{...}", "/{a}/{a}", "/{a...}/b",
                                     "/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}"}) {
    EXPECT_THROW(routes.get(bad, named("bad")), std::invalid_argument) << bad;
  }
  EXPECT_THROW(routes.add("G T", "/", named("bad")), std::invalid_argument);
}

TARE_ON_ALL_REACTORS(http_router);

}  // namespace
