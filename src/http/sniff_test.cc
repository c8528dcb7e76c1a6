#include "http/sniff.h"

#include <gtest/gtest.h>

#include <utility>

namespace faas::http {
namespace {

using namespace std::string_view_literals;

TEST(Sniff, KnowsContentsByTheirBeginning) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "text/plain; charset=utf-8"},
      {"hello", "text/plain; charset=utf-8"},
      {" \n<html>", "text/html; charset=utf-8"},
      {"<!-- x", "text/html; charset=utf-8"},
      {"a<html>", "text/plain; charset=utf-8"},
      {"<htmlx>", "text/plain; charset=utf-8"},
      {"<?xml version", "text/xml; charset=utf-8"},
      {"%PDF-1.4", "application/pdf"},
      {"\x89PNG\r\n\x1a\n", "image/png"},
      {"RIFF1234WEBPVP8", "image/webp"},
      {"\x1f\x8b\x08\0"sv, "application/x-gzip"},
      {"PK\x03\x04", "application/zip"},
      {"{\"a\":1}", "text/plain; charset=utf-8"},
      {"\0\1"sv, "application/octet-stream"},
      {"\0asm"sv, "application/wasm"},
      {"\0\0\0\x18"
       "ftypmp42\0\0\0\0mp42isom"sv,
       "video/mp4"},
      {"text with \x1b[31mcolours", "text/plain; charset=utf-8"},
  };
  for (const auto& [bytes, type] : cases) EXPECT_EQ(sniff_content_type(bytes), type) << bytes;
}

}  // namespace
}  // namespace faas::http
