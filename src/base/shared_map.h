// A map from texts whose copies share what they have in common. A copy costs a few hundred pointers and a
// change of one the copying of one part in 256, however much there is: so ten thousand changes can be
// published one by one, each as a map that never changes again.
//
// Threads: one map, one thread; copies of it are independent, on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace faas {

/// For unordered containers of texts that are asked with views.
struct TransparentHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

template <class T>
class SharedMap final {
  using Part = std::unordered_map<std::string, T, TransparentHash, std::equal_to<>>;
  static constexpr std::size_t kParts = 256;

 public:
  using value_type = typename Part::value_type;

  /// In no order. Valid until the map changes.
  class const_iterator final {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = typename Part::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return *at_; }
    pointer operator->() const { return &*at_; }
    const_iterator& operator++() {
      ++at_;
      if (at_ == map_->parts_[part_]->end()) *this = map_->first_from(part_ + 1);
      return *this;
    }
    const_iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const const_iterator& a, const const_iterator& b) {
      return a.part_ == b.part_ && (a.part_ == kParts || a.at_ == b.at_);
    }

   private:
    friend class SharedMap;
    const_iterator(const SharedMap* map, std::size_t part, typename Part::const_iterator at)
        : map_(map), part_(part), at_(at) {}

    const SharedMap* map_ = nullptr;
    std::size_t part_ = kParts;
    typename Part::const_iterator at_{};
  };

  [[nodiscard]] const_iterator begin() const { return first_from(0); }
  [[nodiscard]] const_iterator end() const { return const_iterator(this, kParts, {}); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != end(); }

  [[nodiscard]] const_iterator find(std::string_view key) const {
    const auto index = part_of(key);
    const auto& part = parts_[index];
    if (part == nullptr) return end();
    const auto at = part->find(key);
    return at == part->end() ? end() : const_iterator(this, index, at);
  }

  /// Throws std::out_of_range when there is none.
  [[nodiscard]] const T& at(std::string_view key) const {
    const auto found = find(key);
    if (found == end()) throw std::out_of_range("SharedMap: no " + std::string(key));
    return found->second;
  }

  void insert_or_assign(std::string key, T value) {
    auto& part = parts_[part_of(key)];
    auto changed = part == nullptr ? std::make_shared<Part>() : std::make_shared<Part>(*part);
    if (changed->insert_or_assign(std::move(key), std::move(value)).second) ++size_;
    part = std::move(changed);
  }

  void erase(std::string_view key) {
    auto& part = parts_[part_of(key)];
    if (part == nullptr || part->find(key) == part->end()) return;
    --size_;
    if (part->size() == 1) {
      part = nullptr;
      return;
    }
    auto changed = std::make_shared<Part>(*part);
    changed->erase(changed->find(key));
    part = std::move(changed);
  }

 private:
  // Not the bits that choose the bucket inside a part.
  static std::size_t part_of(std::string_view key) { return (TransparentHash{}(key) >> 32) % kParts; }

  const_iterator first_from(std::size_t part) const {
    for (; part < kParts; ++part) {
      if (parts_[part] != nullptr) return const_iterator(this, part, parts_[part]->begin());
    }
    return end();
  }

  std::array<std::shared_ptr<const Part>, kParts> parts_;  // null: empty
  std::size_t size_ = 0;
};

}  // namespace faas
