// The field "traceparent": what is valid, what is not, and that each invalid character is noticed.

#include <tare/http/trace_context.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

namespace {

using tare::http::parse_traceparent;
using tare::http::trace_context;
using tare::http::traceparent_of;

const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(trace_context, is_read_and_written) {
  const auto parsed = parse_traceparent(valid);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->sampled);
  EXPECT_EQ(trace_id_text(*parsed), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(span_id_text(*parsed), "00f067aa0ba902b7");
  EXPECT_EQ(traceparent_of(*parsed), valid);
  EXPECT_FALSE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")->sampled) << "other flags";
  EXPECT_TRUE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff")->sampled);
}

TEST(trace_context, of_a_later_version_may_be_longer) {
  const std::string rest = valid.substr(2);
  EXPECT_TRUE(parse_traceparent("01" + rest));
  EXPECT_TRUE(parse_traceparent("cc" + rest + "-what-the-future-brings"));
  EXPECT_FALSE(parse_traceparent("cc" + rest + "x"));
  EXPECT_FALSE(parse_traceparent(valid + "-more")) << "but not this one";
  EXPECT_FALSE(parse_traceparent("ff" + rest)) << "forbidden";
}

TEST(trace_context, is_refused_if_any_character_is_wrong) {
  for (std::size_t i = 0; i < valid.size(); ++i) {
    for (const char wrong : {'-', 'g', 'A', ' ', '\0', '\xff'}) {
      if (valid[i] == wrong) continue;
      std::string text = valid;
      text[i] = wrong;
      EXPECT_EQ(parse_traceparent(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_traceparent(valid.substr(0, i)), std::nullopt);
  }
  EXPECT_EQ(parse_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), std::nullopt);
  EXPECT_EQ(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), std::nullopt);
}

TEST(trace_context, is_new_each_time) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const trace_context made = trace_context::make(i % 2 == 0);
    EXPECT_EQ(parse_traceparent(traceparent_of(made)), made);
    seen.insert(traceparent_of(made));
    const trace_context child = made.child();
    EXPECT_EQ(child.trace_id, made.trace_id);
    EXPECT_NE(child.span_id, made.span_id);
    EXPECT_EQ(child.sampled, made.sampled);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
