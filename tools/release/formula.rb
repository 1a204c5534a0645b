class Ployzctl < Formula
  desc "Command line of Ployz, for services on your own machines"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@URL@/download/v@VERSION@/ployzctl-@VERSION@-darwin-arm64.tar.gz"
      sha256 "@darwin-arm64@"
    end
    on_intel do
      url "@URL@/download/v@VERSION@/ployzctl-@VERSION@-darwin-x64.tar.gz"
      sha256 "@darwin-x64@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/download/v@VERSION@/ployzctl-@VERSION@-linux-arm64.tar.gz"
      sha256 "@linux-arm64@"
    end
    on_intel do
      url "@URL@/download/v@VERSION@/ployzctl-@VERSION@-linux-x64.tar.gz"
      sha256 "@linux-x64@"
    end
  end

  def install
    libexec.install Dir["*"]
    bin.install_symlink libexec/"bin/ployzctl"
    man1.install_symlink Dir[libexec/"share/man/man1/*.1"]
    bash_completion.install libexec/"share/bash-completion/completions/ployzctl"
    zsh_completion.install libexec/"share/zsh/site-functions/_ployzctl"
    fish_completion.install libexec/"share/fish/vendor_completions.d/ployzctl.fish"
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/ployzctl --version").strip
  end
end
