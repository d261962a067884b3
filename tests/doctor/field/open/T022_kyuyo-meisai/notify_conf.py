HOST = "tsubameseiki-example.mail.protection.outlook.com"
PORT = 25
FROM = "kyuyo@tsubame-seiki.example"
TO   = ["jinji@tsubame-seiki.example"]
# 認証なし。社内宛だけなので
