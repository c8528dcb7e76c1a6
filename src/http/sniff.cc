#include "http/sniff.h"

#include <algorithm>
#include <array>

namespace faas::http {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kSniffedBytes = 512;

constexpr std::array kHtmlTags{"<!DOCTYPE HTML"sv,
                               "<HTML"sv,
                               "<HEAD"sv,
                               "<SCRIPT"sv,
                               "<IFRAME"sv,
                               "<H1"sv,
                               "<DIV"sv,
                               "<FONT"sv,
                               "<TABLE"sv,
                               "<A"sv,
                               "<STYLE"sv,
                               "<TITLE"sv,
                               "<B"sv,
                               "<BODY"sv,
                               "<BR"sv,
                               "<P"sv,
                               "<!--"sv};

// '?' in a pattern stands for any byte; no real one holds it.
struct Signature {
  std::string_view pattern;
  std::string_view type;
};
constexpr std::array kSignatures{
    Signature{"%PDF-"sv, "application/pdf"},
    Signature{"%!PS-Adobe-"sv, "application/postscript"},
    Signature{"\xFE\xFF??"sv, "text/plain; charset=utf-16be"},
    Signature{"\xFF\xFE??"sv, "text/plain; charset=utf-16le"},
    Signature{"\xEF\xBB\xBF?"sv, "text/plain; charset=utf-8"},
    Signature{"\0\0\1\0"sv, "image/x-icon"},
    Signature{"\0\0\2\0"sv, "image/x-icon"},
    Signature{"BM"sv, "image/bmp"},
    Signature{"GIF87a"sv, "image/gif"},
    Signature{"GIF89a"sv, "image/gif"},
    Signature{"RIFF????WEBPVP"sv, "image/webp"},
    Signature{"\x89PNG\r\n\x1A\n"sv, "image/png"},
    Signature{"\xFF\xD8\xFF"sv, "image/jpeg"},
    Signature{"FORM????AIFF"sv, "audio/aiff"},
    Signature{"ID3"sv, "audio/mpeg"},
    Signature{"OggS\0"sv, "application/ogg"},
    Signature{"MThd\0\0\0\6"sv, "audio/midi"},
    Signature{"RIFF????AVI "sv, "video/avi"},
    Signature{"RIFF????WAVE"sv, "audio/wave"},
    Signature{"\x1A\x45\xDF\xA3"sv, "video/webm"},
    Signature{"??????????????????????????????????LP"sv, "application/vnd.ms-fontobject"},
    Signature{"\0\1\0\0"sv, "font/ttf"},
    Signature{"OTTO"sv, "font/otf"},
    Signature{"ttcf"sv, "font/collection"},
    Signature{"wOFF"sv, "font/woff"},
    Signature{"wOF2"sv, "font/woff2"},
    Signature{"\x1F\x8B\x08"sv, "application/x-gzip"},
    Signature{"PK\3\4"sv, "application/zip"},
    Signature{"Rar!\x1A\7\0"sv, "application/x-rar-compressed"},
    Signature{"Rar!\x1A\7\1\0"sv, "application/x-rar-compressed"},
    Signature{"\0\x61\x73\x6D"sv, "application/wasm"},
};

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool begins_with_tag(std::string_view text, std::string_view tag) {
  if (text.size() <= tag.size()) return false;
  const bool same =
      std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) { return a == upper(b); });
  return same && (text[tag.size()] == ' ' || text[tag.size()] == '>');
}

bool matches(std::string_view bytes, std::string_view pattern) {
  return bytes.size() >= pattern.size() && std::equal(pattern.begin(), pattern.end(), bytes.begin(),
                                                      [](char p, char b) { return p == '?' || p == b; });
}

bool is_mp4(std::string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(4, 4) != "ftyp") return false;
  const auto byte = [bytes](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const auto box = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
  if (box % 4 != 0 || bytes.size() < box) return false;
  for (std::size_t at = 8; at + 3 <= box; at += 4) {
    if (at != 12 && bytes.substr(at, 3) == "mp4") return true;  // 12: a version number
  }
  return false;
}

bool is_binary(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x08 || byte == 0x0B || (byte >= 0x0E && byte <= 0x1A) || (byte >= 0x1C && byte <= 0x1F);
}

}  // namespace

std::string_view sniff_content_type(std::string_view bytes) {
  bytes = bytes.substr(0, kSniffedBytes);
  const auto first = bytes.find_first_not_of("\t\n\f\r ");
  const auto text = first == bytes.npos ? std::string_view() : bytes.substr(first);
  const bool html = std::any_of(kHtmlTags.begin(), kHtmlTags.end(),
                                [text](std::string_view tag) { return begins_with_tag(text, tag); });
  if (html) return "text/html; charset=utf-8";
  if (text.starts_with("<?xml")) return "text/xml; charset=utf-8";
  for (const auto& [pattern, type] : kSignatures) {
    if (matches(bytes, pattern)) return type;
  }
  if (is_mp4(bytes)) return "video/mp4";
  return std::any_of(bytes.begin(), bytes.end(), is_binary) ? "application/octet-stream"
                                                            : "text/plain; charset=utf-8";
}

}  // namespace faas::http
