const transport = nodemailer.createTransport({
  host: process.env.SMTP_HOST,
  port: Number(process.env.SMTP_PORT),
  secure: process.env.SMTP_SECURE === 'true',
  tls: { rejectUnauthorized: process.env.SMTP_REJECT_UNAUTHORIZED === 'true' },
});
