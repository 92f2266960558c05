// Bodies in JSON: what is read, what is refused and with which status, and what is sent.

#include <tare/http/json.hpp>

#include <tare/http.hpp>
#include <tare/http/test.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace {

using nlohmann::json;
using tare::task;
using tare::http::request;
using tare::http::response;
using testing::HasSubstr;
namespace http = tare::http;

struct item {
  std::string name;
  double price = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(item, name, price)

task<> add_item(request& request, response& to) {
  auto made = co_await http::read_json<item>(request);
  if (!made) {
    (void)co_await http::refuse_json(to, std::move(made.error()));
    co_return;
  }
  json stored(*made);
  (void)co_await http::send_json(to, std::move(stored), 201);
}

task<> echo(request& request, response& to) {
  auto value = co_await http::read_json(request);
  if (!value) {
    (void)co_await http::refuse_json(to, std::move(value.error()));
    co_return;
  }
  (void)co_await http::send_json(to, std::move(*value));
}

http::test::reply post(http::handler handle, std::string body, std::string type = "application/json",
                       http::server_options options = {}) {
  auto calling = [&]() -> task<http::test::reply> {
    http::test::request request;
    request.method = "POST";
    request.body = std::move(body);
    if (!type.empty()) request.fields.add("content-type", type);
    auto reply = http::test::call(std::move(handle), std::move(request), std::move(options));
    co_return co_await std::move(reply);
  };
  return tare::run(calling());
}

TEST(http_json, becomes_a_value_and_a_value_becomes_json) {
  const auto got = post(add_item, R"({"name": "tea", "price": 3, "more": true})");
  EXPECT_EQ(got.status, 201U);
  EXPECT_EQ(got.fields.find("content-type"), "application/json");
  EXPECT_EQ(got.body, "{\"name\":\"tea\",\"price\":3.0}\n");
  EXPECT_EQ(post(echo, " [1, 2.5, null, \"\\u00e9\"] ").body, "[1,2.5,null,\"é\"]\n");
}

TEST(http_json, is_refused_with_a_reason_if_it_is_none_or_of_another_form) {
  const auto error_of = [](const http::test::reply& got, unsigned status) {
    EXPECT_EQ(got.status, status) << got.body;
    return json::parse(got.body).at("error").get<std::string>();
  };
  EXPECT_EQ(error_of(post(add_item, "{"), 400), "the body is not JSON: error at byte 2");
  EXPECT_EQ(error_of(post(add_item, ""), 400), "the body is not JSON: error at byte 1");
  EXPECT_EQ(error_of(post(add_item, R"({"name": "tea"})"), 400), "key 'price' not found");
  EXPECT_THAT(error_of(post(add_item, R"({"name": 7, "price": 1})"), 400), HasSubstr("type must be string"));
  EXPECT_THAT(error_of(post(add_item, "[]"), 400), HasSubstr("cannot use at()"));
  EXPECT_EQ(error_of(post(add_item, "{}", "text/plain"), 415), "the Content-Type is not application/json");
  EXPECT_EQ(error_of(post(echo, "[1e999]"), 400), "the body has a number that is out of range");
  EXPECT_EQ(error_of(post(echo, "\"\xff\""), 400), "the body is not JSON: error at byte 2") << "not UTF-8";
}

TEST(http_json, types_are_recognized) {
  for (const char* const type :
       {"application/json", "Application/JSON; charset=utf-8", "application/problem+json", "application/json ;x", ""}) {
    EXPECT_EQ(post(echo, "1", type).status, 200U) << type;
  }
  for (const char* const type : {"application/jsonp", "application/+json", "text/json", "json", ";", "application/"}) {
    EXPECT_EQ(post(echo, "1", type).status, 415U) << type;
  }
}

TEST(http_json, may_be_nested_to_a_limit) {
  const auto nested = [](int depth) {
    const auto times = static_cast<std::size_t>(depth);
    return std::string(times, '[') + std::string(times, ']');
  };
  EXPECT_EQ(post(echo, nested(http::max_json_depth)).status, 200U);
  for (const std::string& body : {nested(http::max_json_depth + 1), nested(100'000), std::string(500'000, '['),
                                  "{\"a\":" + nested(http::max_json_depth) + "}"}) {
    const auto got = post(echo, body);
    EXPECT_EQ(got.status, 400U);
    EXPECT_THAT(got.body, HasSubstr("nested too deeply"));
  }
}

TEST(http_json, that_is_too_large_is_refused_by_its_length_or_while_it_arrives) {
  const std::string large = "\"" + std::string(1000, 'x') + "\"";
  EXPECT_EQ(post(echo, large, "", {.max_body_bytes = 100}).status, 413U);
  EXPECT_EQ(post(echo, large, "", {.max_body_bytes = 1002}).status, 200U);
}

TEST(http_json, sent_replaces_what_is_not_utf_8) {
  auto send = [](request& /*request*/, response& to) -> task<> {
    json body = json::object();
    body["name"] = "a\xff";
    (void)co_await http::send_json(to, std::move(body));
  };
  EXPECT_EQ(post(send, "").body, "{\"name\":\"a\xEF\xBF\xBD\"}\n");
}

}  // namespace
