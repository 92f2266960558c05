// Path and query parameters: every type, at and beyond its limits, and what a client gets for others.

#include <tare/http.hpp>
#include <tare/http/test.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace {

using tare::task;
using tare::http::request;
using tare::http::response;
namespace http = tare::http;

http::test::reply call(http::handler handle, std::string target) {
  auto body = [&]() -> task<http::test::reply> {
    http::test::request request;
    request.target = std::move(target);
    auto calling = http::test::call(std::move(handle), std::move(request));
    co_return co_await std::move(calling);
  };
  return tare::run(body());
}

/// Responds with the query's `v` as a T, or refuses.
template <class T>
task<> echo(request& request, response& to) {
  const auto value = http::query<T>(request, "v");
  if (!value) {
    (void)co_await http::refuse(to, value.error());
    co_return;
  }
  std::string text;
  if constexpr (std::is_same_v<T, std::string>) {
    text = *value;
  } else {
    text = std::to_string(*value);
  }
  (void)co_await to.send("text/plain", text);
}

template <class T>
std::string value_of(const std::string& text) {
  const auto got = call(echo<T>, "/?v=" + text);
  EXPECT_EQ(got.status, 200U) << text << ": " << got.body;
  return got.body;
}

template <class T>
std::string refusal_of(const std::string& text) {
  const auto got = call(echo<T>, "/?v=" + text);
  EXPECT_EQ(got.status, 400U) << text << ": " << got.body;
  return got.body;
}

TEST(http_parameters, are_values_of_each_type) {
  EXPECT_EQ(value_of<std::int8_t>("-128"), "-128");
  EXPECT_EQ(value_of<std::uint64_t>("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(value_of<double>("1.5e3"), "1500.000000");
  EXPECT_EQ(value_of<bool>("true"), "1");
  EXPECT_EQ(value_of<bool>("0"), "0");
  EXPECT_EQ(value_of<std::string>("a%20b+c"), "a b c");
  EXPECT_EQ(value_of<std::string>(""), "");
}

TEST(http_parameters, of_another_form_are_refused_with_a_reason) {
  EXPECT_EQ(refusal_of<std::int8_t>("128"), "v: out of range: 128\n");
  EXPECT_EQ(refusal_of<unsigned>("-1"), "v: not a number: -1\n");
  EXPECT_EQ(refusal_of<int>(""), "v: not a number: \n");
  EXPECT_EQ(refusal_of<int>("1x"), "v: not a number: 1x\n");
  EXPECT_EQ(refusal_of<int>("%201"), "v: not a number:  1\n");
  EXPECT_EQ(refusal_of<double>("1e999"), "v: out of range: 1e999\n");
  EXPECT_EQ(refusal_of<bool>("yes"), "v: neither true nor false: yes\n");
  EXPECT_EQ(refusal_of<int>("a%0D%0Ab%00"), "v: not a number: a??b?\n") << "control characters";
  EXPECT_EQ(refusal_of<int>(std::string(10'000, '9')).size(), 100 + std::string("v: out of range: \n").size());
}

TEST(http_parameters, may_be_missing_or_must_not) {
  const auto got = call(echo<int>, "/?w=1");
  EXPECT_EQ(got.status, 400U);
  EXPECT_EQ(got.body, "v: missing\n");
  auto with_default = [](request& request, response& to) -> task<> {
    const auto value = http::query_or<int>(request, "v", 7);
    const std::string text = value ? std::to_string(*value) : value.error().message;
    (void)co_await to.send("text/plain", text);
  };
  EXPECT_EQ(call(with_default, "/").body, "7");
  EXPECT_EQ(call(with_default, "/?v=8").body, "8");
  EXPECT_EQ(call(with_default, "/?v=x").body, "v: not a number: x") << "something else is not missing";
}

TEST(http_parameters, are_in_the_path_too) {
  http::router routes;
  routes.get("/items/{id}", [](request& request, response& to) -> task<> {
    const auto id = http::param<std::int64_t>(request, "id");
    if (!id) {
      (void)co_await http::refuse(to, id.error());
      co_return;
    }
    const std::string text = std::to_string(*id);
    (void)co_await to.send("text/plain", text);
  });
  EXPECT_EQ(call(routes, "/items/%31%32").body, "12");
  const auto got = call(routes, "/items/one");
  EXPECT_EQ(got.status, 400U);
  EXPECT_EQ(got.body, "id: not a number: one\n");
}

}  // namespace
